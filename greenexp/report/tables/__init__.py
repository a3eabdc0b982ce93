"""The study in tables and one page."""
