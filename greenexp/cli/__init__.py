"""The commands: where Hydra composes, and where anything is printed."""
