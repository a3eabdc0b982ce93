"""`python -m greenexp.store`."""

import sys

from greenexp.cli.store import main

if __name__ == "__main__":
    sys.exit(main())
