"""`python -m greenexp.report`."""

import sys

from greenexp.cli.report import main

if __name__ == "__main__":
    sys.exit(main())
