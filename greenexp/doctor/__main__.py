"""`python -m greenexp.doctor`."""

import sys

from greenexp.cli.doctor import main

if __name__ == "__main__":
    sys.exit(main())
