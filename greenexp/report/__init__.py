"""Runs to tables, figures and advice."""

from greenexp.study.labels import load

__all__ = ["load"]
