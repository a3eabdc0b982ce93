"""What meters say of energy, with and without a counter."""

from __future__ import annotations

from greenexp.protocols import Availability

NO_RAPL = Availability("energy", "cpu", None, "no RAPL folder", "modprobe it")
NO_GPU = Availability("energy", "gpu", None, "no driver", "install it")
ESTIMATE = Availability("energy", "cpu", "model", "from utilization", "give the CPU's power")
PACKAGE = Availability("energy", "cpu:0", "counter", "RAPL, package-0")
