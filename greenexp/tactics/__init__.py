"""The optimization tactics, one family in a file: classes that change a module and prove it."""
