"""The table of runs as a person reads it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from greenexp.protocols import Reading
from greenexp.report.tables.runs import Row, footnotes, table
from greenexp.report.tables.runs import row as row_of
from greenexp.runs.result import Predictions, Result
from greenexp.stats.paired import paired_ratio
from greenexp.sweep.plan import title
from tests.support.builders import cpu_run, energy, level, record, row, window

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
REPEATED = ["model", "tactic", "runs", "top1", "latency", "energy", "usd", "remarks"]


def shown(rows: Sequence[Row]) -> str:
    console = Console(width=200, file=io.StringIO(), color_system=None)
    console.print(table(rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> list[dict[str, str]]:
    """Returns the cells of each row, read off the printed table."""
    lines = [line for line in shown(rows).splitlines() if line.startswith("│")]
    return [
        dict(zip(columns, [cell.strip() for cell in line.strip("│").split("│")], strict=True))
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


def blocks_of(tactic: str, latencies_ms: Sequence[float], **fields: Any) -> list[Row]:
    """Returns a run of each block, from block 1 on, with these latencies."""
    return [
        row(tactic=tactic, metrics=FIGURES | {"latency/p50_ms": ms}, block=block, **fields)
        for block, ms in enumerate(latencies_ms, start=1)
    ]


BASELINE_MS = [10.0, 20.0, 40.0]  # a machine that slows down from block to block
COMPILED_MS = [5.5, 10.0, 19.0]


def test_runs_of_a_cell_are_one_line_with_their_median() -> None:
    rows = [*blocks_of("baseline", BASELINE_MS), *blocks_of("torch_compile", COMPILED_MS)]
    first, second = cells(rows, REPEATED)
    assert (first["tactic"], first["runs"], first["latency"]) == ("baseline", "3", "20")
    assert (second["tactic"], second["runs"]) == ("torch_compile", "3")
    assert second["latency"].startswith("10 (")


def test_ratio_is_taken_within_blocks_with_its_interval() -> None:
    rows = [*blocks_of("baseline", BASELINE_MS), *blocks_of("torch_compile", COMPILED_MS)]
    change = paired_ratio(COMPILED_MS, BASELINE_MS)
    assert change is not None
    latency = cells(rows, REPEATED)[1]["latency"]
    assert latency == f"10 (×{change.ratio:.2f}, {change.low:.2f} to {change.high:.2f})"
    # The medians' spread is wide, the ratios' is narrow: 0.55, 0.50 and 0.475.
    assert change.ratio == pytest.approx(math.prod([0.55, 0.5, 0.475]) ** (1 / 3))
    assert (change.low, change.high) == pytest.approx((0.42, 0.61), abs=0.01)


def test_order_of_the_rows_does_not_change_a_ratio() -> None:
    rows = [*blocks_of("baseline", BASELINE_MS), *blocks_of("torch_compile", COMPILED_MS)]
    turned = list(reversed(rows))
    assert cells(turned, REPEATED)[0]["latency"] == cells(rows, REPEATED)[1]["latency"]


def test_only_blocks_that_hold_both_are_compared() -> None:
    compiled = blocks_of("torch_compile", COMPILED_MS)
    compiled[1] = row(tactic="torch_compile", outcome="oom", reason="no memory", block=2)
    alone = blocks_of("torch_compile", [1.0] * 4)[3:]  # a block without a baseline
    line = cells([*blocks_of("baseline", BASELINE_MS), *compiled, *alone], REPEATED)[1]
    change = paired_ratio([5.5, 19.0], [10.0, 40.0])
    assert change is not None
    assert line["runs"] == "4"
    assert line["latency"] == f"5.5 (×{change.ratio:.2f}, {change.low:.2f} to {change.high:.2f})"
    assert line["remarks"] == "oom: no memory (1 of 4)"


def test_accuracy_is_compared_within_blocks_in_points() -> None:
    base = [row(metrics={"accuracy/top1": top1}, block=n) for n, top1 in enumerate([0.9, 0.8, 0.7])]
    own = [
        row(tactic="x", metrics={"accuracy/top1": top1}, block=n)
        for n, top1 in enumerate([0.89, 0.82, 0.69])
    ]
    assert cells([*base, *own], REPEATED)[1]["top1"] == "0.8200 (-1.0 pt)"


def test_dollars_have_a_ratio_without_an_interval() -> None:
    rows = [*blocks_of("baseline", BASELINE_MS), *blocks_of("torch_compile", COMPILED_MS)]
    assert cells(rows, REPEATED)[1]["usd"] == "4 (×1.00)"


def test_second_baselines_are_a_line_of_their_own_against_the_first() -> None:
    rows = [
        *blocks_of("baseline", BASELINE_MS),
        *blocks_of("baseline", [10.5, 20.0, 40.0], replicate=2),
        *blocks_of("torch_compile", COMPILED_MS),
    ]
    first, noise, compiled = cells(rows, REPEATED)
    assert (first["tactic"], first["latency"]) == ("baseline", "20")
    assert (noise["tactic"], noise["runs"]) == ("baseline (A/A)", "3")
    change = paired_ratio([10.5, 20.0, 40.0], BASELINE_MS)
    assert change is not None
    assert noise["latency"] == f"20 (×{change.ratio:.2f}, {change.low:.2f} to {change.high:.2f})"
    against_first = cells([*rows[:3], *rows[6:]], REPEATED)[1]["latency"]
    assert compiled["latency"] == against_first


def test_second_baseline_of_one_block_shows_the_noise_as_a_ratio() -> None:
    rows = [*blocks_of("baseline", [10.0]), *blocks_of("baseline", [11.0], replicate=2)]
    assert [line["tactic"] for line in cells(rows)] == ["baseline", "baseline (A/A)"]
    assert cells(rows)[1]["latency"] == "11 (×1.10)"


def test_remarks_say_of_how_many_runs_they_hold() -> None:
    rows = [
        row(doubts=["cpu_steal", "gpu_throttled"], block=1),
        row(doubts=["cpu_steal"], block=2),
        row(block=3),
    ]
    assert cells(rows, REPEATED)[0]["remarks"] == "cpu_steal (2 of 3), gpu_throttled (1 of 3)"


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


def of(
    tactic: str, /, *readings: Reading, overrides: Sequence[str] = (), **configuration: Any
) -> Row:
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


@pytest.mark.parametrize(
    ("sweep", "block", "replicate"),
    [
        pytest.param({}, None, 1, id="single run"),
        pytest.param({"sweep": {"block": None, "replicate": 1}}, None, 1, id="none set"),
        pytest.param({"sweep": {"block": 3, "replicate": 2}}, 3, 2, id="second baseline"),
    ],
)
def test_row_has_the_place_of_its_run(
    sweep: dict[str, Any], block: int | None, replicate: int
) -> None:
    found = of("baseline", **sweep)
    assert (found.block, found.replicate) == (block, replicate)


def test_row_is_judged_by_the_limits_of_its_run() -> None:
    disturbed = window(level("steal_pct", "cpu", 5.0), latencies_s=LATENCIES_S)
    doubts = [
        row_of(record(cpu_run(disturbed), title="a · b", configuration=configuration)).doubts
        for configuration in ({}, {"interference": {"steal_pct": 6.0}})
    ]
    assert doubts == [["cpu_steal"], []]


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
        pytest.param({"repetitions": 3}, True, id="more blocks"),
    ],
)
def test_runs_are_compared_where_only_the_tactic_differs(
    changes: dict[str, Any], compared: bool
) -> None:
    baseline = of("baseline")
    other = of("torch_compile", **changes)
    assert ("×" in cells([baseline, other])[1]["latency"]) is compared


def test_chain_without_steps_is_the_baseline_of_chains() -> None:
    half = {"half_precision": {"_target_": "greenexp.tactics.precision.HalfPrecision"}}
    rows = [
        of("baseline", tactic={"steps": []}, overrides=["tactic=chain", "tactic.steps=[]"]),
        of("half_precision > torch_compile", tactic={"steps": [half, {"torch_compile": {}}]}),
        of("torch_compile", tactic={"_target_": "greenexp.tactics.compilation.TorchCompile"}),
    ]
    first, *others = cells(rows)
    assert (first["tactic"], first["latency"]) == ("baseline", "500")
    assert [one["tactic"] for one in others] == ["half_precision > torch_compile", "torch_compile"]
    assert [one["latency"] for one in others] == ["500 (×1.00)", "500 (×1.00)"]


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
