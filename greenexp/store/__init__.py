"""Where runs are kept: the journal on disk first, then MLflow as a view of it."""
