"""The doctor's verdicts on energy, and the sources that a user requires."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from greenexp.doctor.verdict import missing, verdicts
from greenexp.protocols import Availability, Source
from greenexp.runs.energy import PREFERENCE
from greenexp.settings.doctor import Doctor
from tests.support.availability import ESTIMATE, NO_GPU, NO_RAPL, PACKAGE

DRAM = Availability("energy", "dram:0", "counter", "RAPL, dram")
COUNTED_GPU = Availability("energy", "gpu:0", "counter", "Zeus, V100")
SAMPLED_GPU = Availability("energy", "gpu:0", "sampled", "NVML, V100")
SECOND_COUNTED = Availability("energy", "gpu:1", "counter", "Zeus, V100")


def energy(*availability: Availability) -> dict[str, tuple[Source | None, str]]:
    return {verdict.kind: (verdict.source, verdict.text) for verdict in verdicts(availability)}


@pytest.mark.parametrize(
    ("availability", "kind", "source", "text"),
    [
        pytest.param(
            [NO_RAPL, ESTIMATE],
            "cpu",
            "model",
            "CPU energy is an estimate, not a measurement (no RAPL folder).",
            id="estimate and why",
        ),
        pytest.param(
            [PACKAGE, ESTIMATE],
            "cpu",
            "counter",
            "CPU energy is measured by a counter (cpu:0, RAPL, package-0).",
            id="counter before estimate",
        ),
        pytest.param(
            [NO_RAPL],
            "cpu",
            None,
            "CPU energy is absent (no RAPL folder).",
            id="absent",
        ),
        pytest.param(
            [ESTIMATE],
            "cpu",
            "model",
            "CPU energy is an estimate, not a measurement "
            "(no meter that reads it is switched on; meters.zeus reads counters).",
            id="counter's meter switched off",
        ),
        pytest.param(
            [PACKAGE, DRAM],
            "dram",
            "counter",
            "DRAM energy is measured by a counter (dram:0, RAPL, dram).",
            id="memory too",
        ),
        pytest.param(
            [SAMPLED_GPU, COUNTED_GPU],
            "gpu",
            "counter",
            "GPU energy is measured by a counter (gpu:0, Zeus, V100).",
            id="counter before samples",
        ),
        pytest.param(
            [SAMPLED_GPU, SECOND_COUNTED],
            "gpu",
            "sampled",
            "GPU energy is added up from power samples (gpu:0, NVML, V100).",
            id="the GPU that runs use counts",
        ),
        pytest.param([NO_GPU], "gpu", None, "GPU energy is absent (no driver).", id="no GPU"),
    ],
)
def test_verdict_names_the_most_direct_source_and_says_why_it_is_no_counter(
    availability: list[Availability], kind: str, source: Source | None, text: str
) -> None:
    assert energy(*availability)[kind] == (source, text)


def test_verdicts_begin_with_cpu_and_gpu_and_name_other_kinds_only_where_they_are() -> None:
    assert list(energy()) == ["cpu", "gpu"]
    assert list(energy(DRAM, PACKAGE)) == ["cpu", "gpu", "dram"]


def test_quantity_that_is_no_energy_makes_no_verdict() -> None:
    sampled = Availability("utilization", "cpu", "sampled", "psutil")
    assert energy(sampled)["cpu"][0] is None


@pytest.mark.parametrize(
    ("required", "availability"),
    [
        pytest.param([], [NO_RAPL, NO_GPU], id="nothing required"),
        pytest.param(["cpu:counter", "dram:counter"], [PACKAGE, DRAM], id="counters"),
        pytest.param(["gpu:sampled"], [COUNTED_GPU, SAMPLED_GPU], id="beside the counter"),
        pytest.param(["cpu:model"], [NO_RAPL, ESTIMATE], id="estimate"),
    ],
)
def test_required_source_that_is_there_is_not_missing(
    required: list[str], availability: list[Availability]
) -> None:
    assert missing(required, availability) == []


@pytest.mark.parametrize(
    ("requirement", "availability", "line"),
    [
        pytest.param("cpu:counter", [NO_RAPL, ESTIMATE], "no RAPL folder; modprobe it", id="cure"),
        pytest.param("gpu:counter", [NO_GPU], "no driver; install it", id="no GPU"),
        pytest.param(
            "gpu:counter",
            [SAMPLED_GPU, SECOND_COUNTED],
            "its source here is sampled",
            id="only on a GPU that runs don't use",
        ),
        pytest.param(
            "dram:counter",
            [PACKAGE],
            "no meter that reads it is switched on; meters.zeus reads counters",
            id="nothing is told",
        ),
    ],
)
def test_missing_source_says_why_and_how_to_get_it(
    requirement: str, availability: list[Availability], line: str
) -> None:
    expected = f"doctor.require={requirement} is not there: {line}"
    assert missing([requirement], availability) == [expected]


def test_requirements_are_the_sources_of_energy(refusal: Callable[..., str]) -> None:
    assert get_args(Source) == PREFERENCE
    assert Doctor(require=["cpu:counter", "gpu:sampled", "dram:model"]).require
    for entry in ("cpu:count", "counter", "cpu", "cpu:0:counter", ""):
        message = refusal(lambda entry=entry: Doctor(require=[entry]))
        assert message.startswith(f"doctor.require={entry} is unknown; allowed: cpu:counter, ")
    assert "doctor.timeout_s=0" in refusal(lambda: Doctor(timeout_s=0))
