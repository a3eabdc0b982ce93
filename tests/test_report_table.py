"""The table of runs as a person reads it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest
from builders import cpu_run, energy, record, row, window
from rich.console import Console

from greenexp.protocols import Reading
from greenexp.report.table import Row, footnotes, table
from greenexp.report.table import row as row_of
from greenexp.result import Predictions, Result
from greenexp.sweep.plan import title

FIGURES = {
    "accuracy/top1": 0.9,
    "latency/p50_ms": 10.0,
    "energy/per_image_j": 2.0,
    "cost/usd_per_million_images": 4.0,
}
HALVED = {
    "accuracy/top1": 0.875,
    "latency/p50_ms": 5.0,
    "energy/per_image_j": 1.0,
    "cost/usd_per_million_images": 3.0,
}
COLUMNS = ["model", "tactic", "top1", "latency", "energy", "usd", "remarks"]


def shown(rows: Sequence[Row]) -> str:
    console = Console(width=200, file=io.StringIO(), color_system=None)
    console.print(table(rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Returns the cells of each row, read off the printed table."""
    lines = [line for line in shown(rows).splitlines() if line.startswith("│")]
    return [
        dict(zip(COLUMNS, [cell.strip() for cell in line.strip("│").split("│")], strict=True))
        for line in lines
    ]


def test_figures_and_ratios_against_the_baseline() -> None:
    rows = [row(metrics=FIGURES), row(tactic="dynamic_quantization", metrics=HALVED)]
    first, second = cells(rows)
    assert first == {
        "model": "vit",
        "tactic": "baseline",
        "top1": "0.9000",
        "latency": "10",
        "energy": "2",
        "usd": "4",
        "remarks": "",
    }
    assert second == {
        "model": "vit",
        "tactic": "dynamic_quantization",
        "top1": "0.8750 (-2.5 pt)",
        "latency": "5 (×0.50)",
        "energy": "1 (×0.50)",
        "usd": "3 (×0.75)",
        "remarks": "",
    }


def test_baseline_after_its_tactics_serves_them_too() -> None:
    rows = [row(tactic="torch_compile", metrics=HALVED), row(metrics=FIGURES)]
    assert cells(rows)[0]["latency"] == "5 (×0.50)"
    assert cells(rows)[1]["latency"] == "10"


def test_baseline_is_that_of_the_same_model() -> None:
    rows = [
        row("vit", metrics=FIGURES),
        row("vit", "torch_compile", metrics=HALVED),
        row("resnet", metrics=HALVED),
        row("resnet", "torch_compile", metrics=HALVED),
        row("swin", "torch_compile", metrics=HALVED),
    ]
    latencies = [line["latency"] for line in cells(rows)]
    assert latencies == ["10", "5 (×0.50)", "5", "5 (×1.00)", "5"]


@pytest.mark.parametrize("name", FIGURES)
def test_absent_is_a_dash(name: str) -> None:
    some = {key: value for key, value in FIGURES.items() if key != name}
    (line,) = cells([row(metrics=some)])
    dashes = [column for column, text in line.items() if text == "–"]
    assert dashes == [dict(zip(FIGURES, COLUMNS[2:6], strict=True))[name]]


@pytest.mark.parametrize(
    "base",
    [
        pytest.param({}, id="baseline failed"),
        pytest.param(dict.fromkeys(FIGURES, 0.0) | {"accuracy/top1": 0.9}, id="baseline of zero"),
    ],
)
def test_no_ratio_to_what_is_not_there(base: dict[str, float]) -> None:
    rows = [row(metrics=base), row(tactic="torch_compile", metrics=HALVED)]
    line = cells(rows)[1]
    assert (line["latency"], line["energy"], line["usd"]) == ("5", "1", "3")


def test_failed_run_gives_its_reason() -> None:
    (line,) = cells([row(outcome="oom", reason="out of memory: 80 GiB")])
    assert line["remarks"] == "oom: out of memory: 80 GiB"
    assert line["latency"] == "–"


def test_doubts_are_remarked() -> None:
    (line,) = cells([row(doubts=["warmup_not_settled", "hardware_mismatch"])])
    assert line["remarks"] == "warmup_not_settled, hardware_mismatch"


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("a tensor of [batch, channels] is due", id="brackets with words"),
        pytest.param("no such folder [/data/images]", id="brackets with a path"),
    ],
)
def test_reason_is_shown_to_the_letter(reason: str) -> None:
    (line,) = cells([row(outcome="error", reason=reason)])
    assert line["remarks"] == f"error: {reason}"


PREDICTIONS = Predictions(identifiers=["a", "b"], targets=[0, 1], ranked=[[0, 1], [0, 1]])
LATENCIES_S = [0.25, 0.5, 0.75]


def of(tactic: str, *readings: Reading, overrides: Sequence[str] = (), **configuration: Any) -> Row:
    """Returns the row of a recorded run, named as the command names it."""
    given = {
        "model": {"name": "digits_vit"},
        "tactic": {"_target_": tactic},
        "hardware": {"any_device": True, "price": {"usd_per_kwh": 3.6}},
    }
    result = cpu_run(window(*readings, latencies_s=LATENCIES_S), predictions=PREDICTIONS)
    choices = {"model": "digits_vit", "tactic": tactic}
    named = title(choices, None, overrides)
    return row_of(record(result, title=named, choices=choices, configuration=given | configuration))


def test_row_of_a_record() -> None:
    found = of("local_pruning", energy("cpu", 20.0, "model"), overrides=["tactic.amount=0.5"])
    assert (found.model, found.tactic) == ("digits_vit", "local_pruning amount=0.5")
    assert (found.outcome, found.reason) == ("ok", None)
    assert found.metrics["accuracy/top1"] == 0.5
    assert found.metrics["latency/p50_ms"] == 500.0
    assert found.metrics["energy/per_image_j"] == 2.0
    assert found.metrics["cost/usd_per_million_images"] == pytest.approx(2.0)
    assert (found.energy_source, found.cost_holds) == ("cpu:model", "electricity")
    assert found.doubts == []


def test_row_of_a_failed_record() -> None:
    failed = Result("timeout", reason="it took longer than 1 s")
    found = row_of(record(failed, title="digits_vit · baseline"))
    assert (found.outcome, found.reason) == ("timeout", "it took longer than 1 s")
    assert found.metrics == {}
    assert found.energy_source is None


@pytest.mark.parametrize(
    ("changes", "compared"),
    [
        pytest.param({}, True, id="another tactic"),
        pytest.param({"model": {"name": "digits_resnet"}}, False, id="another model"),
        pytest.param({"dataset": {"path": "elsewhere"}}, False, id="other images"),
        pytest.param({"workload": {"batch_size": 8}}, False, id="another workload"),
        pytest.param({"device": "cuda"}, False, id="another device"),
    ],
)
def test_runs_are_compared_where_only_the_tactic_differs(
    changes: dict[str, Any], compared: bool
) -> None:
    baseline = of("baseline")
    other = of("torch_compile", **changes)
    assert ("×" in cells([baseline, other])[1]["latency"]) is compared


@pytest.mark.parametrize("override", ["workload.batch_size=8", "device=cpu"])
def test_baseline_is_known_beside_an_option_of_the_whole_sweep(override: str) -> None:
    rows = [of(tactic, overrides=[override]) for tactic in ("baseline", "torch_compile")]
    assert "×1.00" in cells(rows)[1]["latency"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(
            [row(energy_source="cpu:model")],
            "Energy: cpu:model. `model` is an estimate",
            id="estimated energy",
        ),
        pytest.param(
            [row(energy_source="gpu:counter"), row(energy_source="cpu:model")],
            "Energy: cpu:model; gpu:counter. `model` is an estimate",
            id="two sources",
        ),
        pytest.param([row()], "Energy: not measured", id="no energy"),
        pytest.param(
            [row(cost_holds="electricity")],
            "Dollars hold electricity only: the hardware has no price; "
            "give hardware.price.usd_per_hour=…",
            id="electricity only",
        ),
        pytest.param(
            [row(cost_holds="machine+electricity")],
            "Dollars hold: machine+electricity.",
            id="all dollars",
        ),
        pytest.param(
            [row(cost_holds="machine"), row(cost_holds="electricity")],
            "Dollars hold: electricity; machine.",
            id="dollars of two kinds",
        ),
        pytest.param(
            [row(doubts=["hardware_mismatch"])],
            "the preset prices another device than the one that ran",
            id="hardware mismatch",
        ),
    ],
)
def test_footnote(rows: list[Row], words: str) -> None:
    notes = footnotes(rows)
    assert [note for note in notes if words in note]
    assert all(note.endswith(".") for note in notes)


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        pytest.param([row(energy_source="gpu:counter")], "estimate", id="measured energy"),
        pytest.param([row(cost_holds="machine")], "electricity only", id="a machine's price"),
        pytest.param([row(doubts=["warmup_not_settled"])], "hardware_mismatch", id="other doubt"),
    ],
)
def test_no_footnote_without_cause(rows: list[Row], word: str) -> None:
    assert not [note for note in footnotes(rows) if word in note]


def test_failed_runs_need_no_footnotes() -> None:
    assert footnotes([row(outcome="oom", reason="why", cost_holds="machine")]) == []
