"""What this machine can measure, told before anything is run: `python -m greenexp.doctor`."""
