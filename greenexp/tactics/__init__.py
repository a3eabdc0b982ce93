"""The optimization tactics, one family in a file, each a class that changes a module and proves it."""
