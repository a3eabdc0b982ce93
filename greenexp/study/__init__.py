"""Runs in, a Study out: comparison, economics and Pareto front, as values."""
