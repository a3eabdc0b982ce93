"""Intervals, paired comparisons, proportions and power: pure arithmetic, each with its source."""
