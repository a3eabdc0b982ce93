"""What the doctor tells of the device that runs use."""

from __future__ import annotations

import pytest

from greenexp.doctor.device import Device, probing


@pytest.mark.parametrize(
    ("device", "text", "there"),
    [
        pytest.param(Device("auto", "cpu"), "cpu, as device=auto: torch sees no CUDA", True),
        pytest.param(Device("auto", "cuda"), "cuda, as device=auto", True),
        pytest.param(Device("cpu", "cpu"), "cpu", True),
        pytest.param(Device("cuda", "cuda", "no CUDA device"), "cuda: absent", False),
    ],
)
def test_device_is_told(device: Device, text: str, there: bool) -> None:
    assert device.fact().text.startswith(text)
    assert device.fact().there == there


def test_device_that_can_not_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenexp.doctor.device.PROBE", "raise SystemExit('the driver is broken')")
    with probing("auto") as probe:
        device = probe.device()
    assert device == Device(
        "auto",
        None,
        "device=auto: what there is can't be told, the driver is broken; give device=cpu",
    )
