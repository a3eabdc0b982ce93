"""How inference is driven: warm-up to a steady state, then windows."""
