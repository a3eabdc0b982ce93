"""The record of a run, the Run made of it, the journal, and arithmetic on them."""
