"""A wheel of a foreign package brings a tactic, a meter and a model; a sweep measures with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import greenexp

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FILES = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "foreign-greenexp"
version = "1.0"
[project.entry-points."greenexp.tactics"]
foreign = "foreign_greenexp.tactics"
[project.entry-points."greenexp.meters"]
foreign = "foreign_greenexp.meters"
[project.entry-points."greenexp.models"]
foreign = "foreign_greenexp.models"
[tool.hatch.build.targets.wheel]
packages = ["foreign_greenexp"]
""",
    "foreign_greenexp/__init__.py": "",
    "foreign_greenexp/tactics.py": """
from dataclasses import dataclass

from greenexp.protocols import Traits


@dataclass(frozen=True)
class Halving:
    factor: float = 0.5

    @property
    def traits(self):
        return Traits()

    def __call__(self, module, sample):
        for weight in module.parameters():
            weight.mul_(1.0)
        return module

    def effect(self, module):
        return {"factor": self.factor}
""",
    "foreign_greenexp/meters.py": """
from contextlib import contextmanager

from greenexp.protocols import Meter, Reading
from greenexp.quantities import Quantity


class Water(Meter):
    def __init__(self, ml: float) -> None:
        self._ml = ml

    def quantities(self):
        return [Quantity("water/per_image_ml", "water", "ml/image", reads="water_ml",
                         combines="sum per image", shown="everywhere")]

    @contextmanager
    def window(self):
        readings = []
        yield readings
        readings.append(Reading("water_ml", "cooling", self._ml, "sampled", "water"))
""",
    "foreign_greenexp/models.py": """
from dataclasses import dataclass

from greenexp.models.embedded_model import Embedded


@dataclass(frozen=True)
class Twin:
    name: str = "digits_vit"
    labels: str | None = "digits"

    @property
    def title(self):
        return None

    def check(self):
        return Embedded(self.name).check()

    def load(self, device):
        return Embedded(self.name).load(device)
""",
    "foreign_greenexp/conf/tactic/halving.yaml": """
_target_: foreign_greenexp.tactics.Halving
factor: 0.5
""",
    "foreign_greenexp/conf/meter/water.yaml": """
_target_: foreign_greenexp.meters.Water
ml: 3.0
""",
    "foreign_greenexp/conf/model/twin_vit.yaml": """
_target_: foreign_greenexp.models.Twin
name: digits_vit
labels: digits
""",
}
SHORT = [
    "sweep.baselines=2",
    "workload.batch_size=32",
    "workload.idle_seconds=0.05",
    "workload.warmup_min_seconds=0.05",
    "workload.min_seconds=0.05",
    "workload.min_windows=10",
    "workload.max_windows=10",
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the wheel and installs it into a folder of its own."""
    source = tmp_path_factory.mktemp("source")
    for name, text in FILES.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    wheels = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    into = [*pip, "install", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run(into, check=True, capture_output=True)
    return folder


def command(folder: Path, site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "greenexp", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_all_holds_what_the_package_brings(tmp_path: Path, installed: Path) -> None:
    dry = command(tmp_path, installed, "-m", "model=twin_vit", "tactic=all", "sweep.dry_run=true")
    assert dry.returncode == 0, dry.stderr
    (plan,) = tmp_path.glob("multirun/**/plan.json")
    assert "twin_vit · halving" in plan.read_text("utf-8")


def test_sweep_measures_with_foreign_tactic_meter_and_model(
    tmp_path: Path, installed: Path
) -> None:
    done = command(
        tmp_path,
        installed,
        "-m",
        "model=twin_vit",
        "tactic=baseline,halving",
        "+meter@meters.water=water",
        "report.keep_flagged=true",
        *SHORT,
    )
    assert done.returncode == 0, done.stderr
    runs = greenexp.read(tmp_path / "multirun")
    assert [run.outcome for run in runs] == ["ok"] * 3
    for run in runs:
        assert run.metrics["water/per_image_ml"] > 0
    assert "water" in done.stdout  # the table on the terminal
    study = greenexp.compare(runs, keep_flagged=True)
    assert "water_per_image_ml" in greenexp.frames(study)["cells"].columns
    page = greenexp.write(study, tmp_path / "report").read_text("utf-8")
    assert "Water ml/image" in page
    check = (
        "import mlflow; c = mlflow.MlflowClient('sqlite:///mlruns/mlflow.db'); "
        "print([r.data.metrics.get('water/per_image_ml') for r in c.search_runs(['1'])])"
    )
    tracked = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert tracked.stdout.count("None") <= 1  # the summary alone has none
