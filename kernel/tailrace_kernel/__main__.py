"""`python -m tailrace_kernel -f CONNECTION_FILE`.

`-m` puts the working directory first on the path of modules. While the kernel itself is imported it is taken out: a
`queue.py` or `random.py` beside a notebook must not stand in for the standard library's. User code finds it again.
"""

import sys

if __name__ == "__main__":
    first = sys.path.pop(0)
    from tailrace_kernel.app import main

    sys.path.insert(0, first)
    main()
