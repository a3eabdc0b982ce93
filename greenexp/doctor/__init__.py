"""What this machine has to measure with, before anything runs."""
