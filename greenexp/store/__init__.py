"""`python -m greenexp.store`: sends to MLflow what it missed of the journal."""
