"""`python -m tailrace_kernel -f CONNECTION_FILE`."""

from tailrace_kernel.app import main

if __name__ == "__main__":
    main()
