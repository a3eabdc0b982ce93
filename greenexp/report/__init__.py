"""Runs to tables, figures and advice."""

from greenexp.report.frame import load

__all__ = ["load"]
