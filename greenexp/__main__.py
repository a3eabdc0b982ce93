"""`python -m greenexp`."""

from greenexp.cli.main import main

if __name__ == "__main__":
    main()
