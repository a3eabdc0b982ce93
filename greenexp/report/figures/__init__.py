"""The study in figures."""
