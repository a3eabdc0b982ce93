"""The commands: the only place where Hydra composes and where anything is printed."""
