"""Runs in, a Study out: comparison, economics, front, as values."""
