"""The instruments, one a file, all behind `greenexp.protocols.Meter`."""
