"""`python -m greenexp.report`."""

import sys

if __name__ == "__main__":  # the processes that draw import this module, not the command
    from greenexp.cli.report import main

    sys.exit(main())
