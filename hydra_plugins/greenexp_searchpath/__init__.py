"""The options that installed packages bring, on Hydra's search path."""
