"""What a run would meet on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenexp.doctor import surroundings
from greenexp.doctor.surroundings import Fact, facts
from greenexp.protocols import Traits
from greenexp.settings.sweep import Tracking

TACTICS = [Traits(), Traits(packages=("json", "greenexp_absent"), extra="fast")]


def told(folder: Path, refusal: str = "") -> dict[str, Fact]:
    tracking = Tracking(uri=f"sqlite:///{folder}/mlflow.db", journal=str(folder / "journal"))
    return {fact.name: fact for fact in facts("cpu", refusal, tracking, TACTICS)}


def test_machine_is_described(tmp_path: Path) -> None:
    made = told(tmp_path)
    assert made["device"] == Fact("device", "cpu")
    assert "threads" in made["processor"].value
    assert "MiB free" in made["memory"].value
    assert str(tmp_path / "journal") in made["disk of journal"].value
    assert made["tracker"].value.endswith("is not there yet; the first run makes it")
    assert not (tmp_path / "mlflow.db").exists()


def test_device_that_is_refused_says_why(tmp_path: Path) -> None:
    assert told(tmp_path, "no such device")["device"].cure == "no such device"


def test_absent_packages_name_their_extra(tmp_path: Path) -> None:
    engine = told(tmp_path)["engine fast"]
    assert "json" in engine.value
    assert "greenexp_absent absent" in engine.value
    assert engine.cure == "pip install 'greenexp[fast]'"


def test_compiler_that_is_named_and_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiler = told(tmp_path)["C++ compiler"]
    assert "no-such-compiler" in compiler.value
    assert "torch_compile" in compiler.cure


def test_compiler_tells_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho made-up 1.2\necho more\n", encoding="utf-8")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert told(tmp_path)["C++ compiler"] == Fact("C++ compiler", "made-up 1.2")


def test_container_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "CONTAINER_FILES", (str(tmp_path),))
    assert "a container" in told(tmp_path)["processor"].value
