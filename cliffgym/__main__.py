"""`python -m cliffgym`."""

import sys

from cliffgym.cli import main

if __name__ == "__main__":
    sys.exit(main())
