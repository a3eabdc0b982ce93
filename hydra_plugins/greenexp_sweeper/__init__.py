"""Hydra finds sweepers only in packages of the namespace `hydra_plugins`."""
