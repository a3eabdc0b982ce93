"""`python -m greenexp.export`."""

import sys

if __name__ == "__main__":
    from greenexp.cli.export import main

    sys.exit(main())
