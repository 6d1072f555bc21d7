"""`python -m tailrace_cli` is `tailrace`."""

import sys

from tailrace_cli.main import main

sys.exit(main())
