"""`python -m greenexp.catalog`."""

import sys

from greenexp.cli.catalog import main

if __name__ == "__main__":
    sys.exit(main())
