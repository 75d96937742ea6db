"""`python -m tpq`."""

import sys

from tpq.cli import main

if __name__ == "__main__":
    sys.exit(main())
