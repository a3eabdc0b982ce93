"""What this machine has to measure with, told before anything runs."""
