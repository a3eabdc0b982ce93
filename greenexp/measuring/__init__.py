"""One run: its process, the protocol, the loop, the windows."""
