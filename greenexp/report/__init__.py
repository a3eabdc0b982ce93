"""Runs to tables, figures and advice."""

from greenexp.report.runs import load

__all__ = ["load"]
