"""Which runs a command means: `all` expanded, unfit pairs left out, input checked beforehand."""
