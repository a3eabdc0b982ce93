"""Free memory is what this process may still take, in a container as well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from greenexp.measuring import memory

MIB = 2**20


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Virtual:
        available = 800 * MIB

    monkeypatch.setattr(psutil, "virtual_memory", Virtual)


def container(folder: Path, limit: str, used_mib: int, cached_mib: int) -> Path:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used_mib * MIB}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached_mib * MIB}\n")
    return folder


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("limit", "used_mib", "cached_mib", "free_mib"),
    [
        pytest.param("max", 100, 10, 800, id="no limit"),
        pytest.param(str(500 * MIB), 300, 0, 200, id="limit"),
        pytest.param(str(500 * MIB), 300, 120, 320, id="what files hold can be dropped"),
        pytest.param(str(5000 * MIB), 300, 0, 800, id="the machine has less"),
    ],
)
def test_a_container_may_take_what_its_limit_leaves(
    limit: str, used_mib: int, cached_mib: int, free_mib: float, tmp_path: Path
) -> None:
    assert memory.available_mib(container(tmp_path, limit, used_mib, cached_mib)) == free_mib


@pytest.mark.usefixtures("machine")
def test_without_control_groups_it_is_the_machine_s(tmp_path: Path) -> None:
    assert memory.available_mib(tmp_path) == 800


def test_a_process_has_held_what_it_took() -> None:
    before = memory.of_process("cpu")
    taken = bytearray(300 * MIB)
    after = memory.of_process("cpu")
    assert after.peak_mib > 290
    assert after.peak_mib >= before.peak_mib
    assert after.gpu_peak_mib is None
    del taken


def test_a_process_has_not_held_what_its_starter_did() -> None:
    taken = bytearray(600 * MIB)
    child = "from greenexp.measuring.memory import peak_mib; print(peak_mib())"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) < 300
    del taken
