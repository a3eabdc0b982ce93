"""The study in sentences."""
