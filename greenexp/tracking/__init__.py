"""MLflow as a view of the journal; the one package that imports it."""
