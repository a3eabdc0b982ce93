"""The instruments, one in a file, all behind `greenexp.protocols.Meter`."""
