"""MLflow as a view of the journal; the only package that imports it."""
