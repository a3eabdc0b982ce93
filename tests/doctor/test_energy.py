"""Which energy is measured, which estimated, which absent, in words a user reads first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from greenexp.doctor.energy import check_required, energy_verdicts
from greenexp.protocols import Availability

NO_RAPL = Availability("energy", "cpu", None, "no RAPL counter", "modprobe it")
ESTIMATE = Availability("energy", "cpu", "model", "1 W to 8 W", "give the watts")
PACKAGE = Availability("energy", "cpu:0", "counter", "RAPL of package-0")
DRAM = Availability("energy", "dram:0", "counter", "RAPL of package-0")
NO_GPU = Availability("energy", "gpu", None, "no NVIDIA driver", "install it")
SAMPLED = Availability("energy", "gpu:0", "sampled", "NVML's power")
COUNTED = Availability("energy", "gpu:0", "counter", "Zeus, V100")
OLD_GPU = Availability("energy", "gpu:1", "sampled", "NVML's power")
BUSY = Availability("utilization", "gpu:0", "sampled", "NVML")


def sentences(*available: Availability) -> list[str]:
    return [verdict.sentence for verdict in energy_verdicts(available)]


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        pytest.param(
            [NO_RAPL, ESTIMATE, NO_GPU],
            [
                "CPU energy is an estimate, no measurement: 1 W to 8 W. Why: no RAPL counter.",
                "GPU energy is absent. Why: no NVIDIA driver.",
            ],
            id="virtual machine",
        ),
        pytest.param(
            [PACKAGE, DRAM, ESTIMATE, COUNTED, SAMPLED, OLD_GPU, BUSY],
            [
                "CPU cpu:0 energy is measured by a counter: RAPL of package-0.",
                "GPU gpu:0 energy is measured by a counter: Zeus, V100.",
                "GPU gpu:1 energy is measured as sampled power, added up: NVML's power.",
            ],
            id="server",
        ),
        pytest.param(
            [BUSY], ["CPU energy is absent.", "GPU energy is absent."], id="no meter of energy"
        ),
    ],
)
def test_the_most_direct_source_is_named(
    available: Sequence[Availability], expected: list[str]
) -> None:
    assert sentences(*available) == expected


def test_cures_stand_where_something_is_to_be_had() -> None:
    cpu, gpu = energy_verdicts([NO_RAPL, ESTIMATE, NO_GPU])
    assert (cpu.cures, gpu.cures) == (["modprobe it", "give the watts"], ["install it"])
    assert all(not verdict.cures for verdict in energy_verdicts([PACKAGE, COUNTED]))


@pytest.mark.parametrize(
    "required", [["cpu:counter"], ["gpu:counter", "gpu:sampled"], ["dram:counter"], []]
)
def test_what_is_there_may_be_required(required: list[str]) -> None:
    check_required(required, [PACKAGE, DRAM, COUNTED, OLD_GPU])


@pytest.mark.parametrize(
    ("required", "words"),
    [
        pytest.param("cpu:counter", ["no RAPL counter", "modprobe it"], id="absent"),
        pytest.param("gpu:sampled", ["no NVIDIA driver", "install it"], id="no GPU"),
        pytest.param("dram:counter", ["no meter tells it"], id="no meter"),
        pytest.param("cpu:count", ["allowed", "Did you mean cpu:counter?"], id="no source"),
    ],
)
def test_what_is_not_there_is_said_with_its_cure(
    required: str, words: list[str], refusal: Callable[[Callable[[], object]], str]
) -> None:
    message = refusal(lambda: check_required([required], [NO_RAPL, ESTIMATE, NO_GPU]))
    assert required in message
    assert all(word in message for word in words)
