"""Runs to tables, figures and advice."""
