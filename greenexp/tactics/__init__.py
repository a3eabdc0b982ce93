"""The optimization tactics, one family a file."""
