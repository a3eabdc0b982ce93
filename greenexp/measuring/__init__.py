"""One run: its process, its phases, the loop and the windows."""
