"""The Python door: experiments measured, compared and shown without a command line."""
