"""The record of a run, its identity, its journal, and the arithmetic on it."""
