"""A Study in words, tables, figures and one page."""

from greenexp.report.frame import load

__all__ = ["load"]
