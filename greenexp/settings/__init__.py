"""Typed settings, their ranges, and how choices are built from what their YAML names."""
