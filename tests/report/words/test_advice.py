"""The sentences of advice: what is advised, what is not, and that each figure is in the table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from greenexp.quantities import ENERGY
from greenexp.report.words.advice import Answer
from greenexp.settings.hardware import Carbon, Hardware, Price
from tests.support.advised import advised, check
from tests.support.synthetic_runs import (
    LOCAL,
    QUANTIZED,
    STUDY,
    Planted,
    Row,
    no_predictions,
    rows,
    without,
    without_energy,
)

EIGHT = ("vit", "swin", "beit", "deit", "levit", "pvt", "bit", "cvt")
RENT = Hardware(
    any_device=True,
    price=Price(usd_per_hour=3.6, usd_per_kwh=0.2),
    carbon=Carbon(g_per_kwh=400.0),
)
SWEEPS: Mapping[str, tuple[Hardware, Row]] = {
    "counter, electricity": (LOCAL, {}),
    "estimate, electricity": (LOCAL, {"energy_source": "cpu:model+gpu:counter"}),
    "counter, rent": (RENT, {}),
    "counter, no price": (Hardware(any_device=True), {}),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize(
    ("requests_per_month", "max_top1_drop"), [(1e6, 0.01), (1.5e9, 0.0), (12_345.0, 0.15)]
)
def test_every_number_is_in_the_table(
    seed: int, sweep: str, requests_per_month: float, max_top1_drop: float
) -> None:
    preset, columns = SWEEPS[sweep]
    made = advised(
        rows(EIGHT, STUDY, seed=seed, **columns),
        STUDY,
        preset,
        requests_per_month=requests_per_month,
        max_top1_drop=max_top1_drop,
    )
    expected = {0.01: "quantized", 0.0: "compiled", 0.15: "harmed"}[max_top1_drop]
    assert made.deployed() == dict.fromkeys([*EIGHT, "Over models"], expected)
    assert len(made.answers) == len(EIGHT) + 1


@pytest.mark.parametrize("noise", [0.005, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_every_number_is_in_the_table_of_noisy_runs(noise: float, seed: int) -> None:
    made = advised(rows(EIGHT, STUDY, noise=noise, seed=seed), STUDY, max_top1_drop=0.02)
    assert len(made.answers) == len(EIGHT) + 1


@pytest.mark.parametrize("seed", range(3))
def test_every_number_is_in_the_table_of_several_settings(seed: int) -> None:
    here = rows(EIGHT, STUDY, seed=seed)
    there = rows(EIGHT, STUDY, seed=seed + 9, workload="quick", noise=0.02)
    made = advised([*here, *there], STUDY)
    headlines = {each.headline for each in made.answers}
    assert len(made.answers) == len(headlines) == 2 * (len(EIGHT) + 1)
    assert {line.partition(":")[0].partition(" on ")[2] for line in headlines} == {
        "digits · local · steady",
        "digits · local · quick",
    }


@pytest.mark.parametrize("seed", range(3))
def test_without_energy_the_advice_is_of_time(seed: int) -> None:
    made = advised(without_energy(rows(EIGHT, STUDY, seed=seed)), STUDY)
    assert made.deployed() == dict.fromkeys([*EIGHT, "Over models"], "quantized")
    for answer in made.answers:
        assert "of the baseline's latency" in answer.points[0]
    for line in made.lines:
        assert "kWh" not in line
        assert "energy" not in line


@pytest.mark.parametrize(
    ("limit", "tactic"), [(0.0, None), (0.0024, None), (0.0025, "t"), (0.01, "t")]
)
def test_tactic_that_costs_more_accuracy_than_allowed_is_not_advised(
    limit: float, tactic: str | None
) -> None:
    tactics = {"t": Planted(energy=0.5, lost=1)}  # of 400 images
    made = advised(rows(tactics=tactics), tactics, max_top1_drop=limit)
    assert made.deployed().get("vit") == tactic
    if tactic is None:
        assert made.about("vit").startswith("vit: keep the baseline; no tactic saves more than 3 %")
        assert "Top-1 drops by more than" in made.about("vit")


@pytest.mark.parametrize("lost", [True, False], ids=["predictions are gone", "top-1 is gone"])
def test_accuracy_that_is_unknown_is_said_or_keeps_from_advice(lost: bool) -> None:
    made = rows() if lost else without(rows(), "accuracy/top1")
    advice = advised(made, judged=no_predictions)
    assert advice.deployed() == ({"vit": "quantized"} if lost else {})
    assert ("whose error is unknown" in advice.about("vit")) is lost
    assert advice.about("vit").startswith("vit: undecided; ") is not lost


def test_gain_inside_the_floor_is_not_advised() -> None:
    tactics = {"t": Planted(energy=0.98)}
    made = rows(EIGHT, tactics, noise=0.001)
    assert advised(made, tactics).deployed() == dict.fromkeys([*EIGHT, "Over models"], "t")
    hot = [row | {ENERGY: row[ENERGY] * (1.03 if row["replicate"] == 2 else 1)} for row in made]
    advice = advised(hot, tactics)
    assert advice.deployed() == {}
    assert re.search(
        r"Open after 8 blocks: t ×0\.9\d+ \(.*\); two baselines differ by up to 3\.",
        advice.about("vit"),
    )


def test_more_noise_never_makes_advice() -> None:
    tactics = {"t": Planted(energy=0.9)}
    told = [
        len(advised(rows(EIGHT, tactics, noise=noise), tactics).deployed())
        for noise in (0.001, 0.02, 0.1, 0.4)
    ]
    assert told == sorted(told, reverse=True)
    assert told[0] == 9
    assert told[-1] == 0


def test_of_two_the_one_that_saves_more_dollars_is_advised() -> None:
    """Under a rent seconds cost more than joules."""
    tactics = {
        "frugal": Planted(energy=0.4, latency=0.9),
        "fast": Planted(energy=0.6, latency=0.5),
    }
    assert advised(rows(tactics=tactics), tactics, RENT).deployed() == {"vit": "fast"}
    assert advised(rows(tactics=tactics), tactics, LOCAL).deployed() == {"vit": "frugal"}
    unpriced = Hardware(any_device=True)
    assert advised(rows(tactics=tactics), tactics, unpriced).deployed() == {"vit": "frugal"}


def test_what_takes_more_is_not_called_a_saving() -> None:
    tactics = {"t": Planted(energy=0.5, latency=1.5, joules=0.0, seconds=0.0)}
    made = advised(rows(EIGHT, tactics), tactics, RENT)
    assert made.deployed()["vit"] == "t"
    assert re.search(
        r"saves 50 % energy, costs [\d.]+ USD a month more if paid by use\.", made.about("vit")
    )
    assert re.search(
        r"saves \S+ kWh .* and takes \S+ hours of computing .* more", made.about("vit")
    )
    assert "Applying it pays back at once in energy, never in dollars and never in time" in (
        made.about("vit")
    )
    assert (
        "Applying it pays back for 8 of 8 models in energy (at once), for 0 of 8 models in dollars "
        "and for 0 of 8 models in time" in made.about("Over models")
    )


def test_estimated_energy_is_called_so() -> None:
    assert "(estimated)" in advised(rows(energy_source="cpu:model")).about("vit")
    assert "(estimated)" not in advised(rows()).about("vit")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(
            rows(blocks=1),
            "vit: undecided; 5 more blocks should decide; quantized is at ×0.6",
            id="one block",
        ),
        pytest.param(
            rows(blocks=3), "vit: undecided; 3 more blocks should decide; ", id="few blocks"
        ),
        pytest.param(
            [row for row in rows() if row["tactic"] != "baseline"],
            "nothing can be said, for there is no valid baseline among the runs",
            id="no baseline",
        ),
        pytest.param(
            [row for row in rows() if row["tactic"] == "baseline"],
            "nothing can be said, for there is only the baseline",
            id="only the baseline",
        ),
        pytest.param(
            [row for row in rows() if (row["tactic"] == "baseline") == (row["block"] > 4)],
            "nothing can be said, for no tactic shares a block with the baseline",
            id="no block in common",
        ),
        pytest.param(
            rows(tactics={"slowed": STUDY["slowed"]}),
            "keep the baseline; no tactic saves more than 3 % energy at a top-1 drop of at most "
            "1 pt. Shown: slowed ×1.3",
            id="nothing saves",
        ),
    ],
)
def test_where_nothing_can_be_advised_it_is_said_why(made: list[Row], words: str) -> None:
    advice = advised(made)
    assert advice.deployed() == {}
    assert words in advice.about("vit")


@pytest.mark.parametrize(
    ("models", "tactics", "words"),
    [
        pytest.param(
            5,
            QUANTIZED,
            "5 models can't show what holds for others; with 1 tactic at least 6 are needed.",
            id="few models",
        ),
        pytest.param(
            7,
            STUDY,
            "7 models can't show what holds for others; with 5 tactics at least 8 are needed.",
            id="few models for so many tactics",
        ),
        pytest.param(
            8,
            {"slowed": STUDY["slowed"]},
            "keep the baseline; no tactic saves more than 3 % energy at a mean top-1 drop of at "
            "most 1 pt.",
            id="nothing saves",
        ),
    ],
)
def test_over_models_it_is_said_what_is_missing(
    models: int, tactics: Mapping[str, Planted], words: str
) -> None:
    made = advised(rows(EIGHT[:models], tactics), tactics)
    assert made.about("Over models").startswith(f"Over models: {words}")


def test_of_one_model_nothing_is_said_over_models() -> None:
    assert len(advised(rows()).answers) == 1


def test_without_runs_there_is_nothing_to_advise() -> None:
    assert advised([]).answers == []


def test_tactic_that_saves_on_some_models_is_advised_for_those() -> None:
    made = [
        row
        for number, model in enumerate(EIGHT)
        for row in rows([model], {"t": Planted(energy=0.5 if number < 2 else 1.2)})
    ]
    advice = advised(made, {"t": Planted()})
    assert advice.deployed() == {"vit": "t", "swin": "t"}
    assert advice.about("Over models").startswith("Over models: undecided; more models decide; ")


def test_sentences_are_held_against_the_table_in_earnest() -> None:
    """What `check` is worth: each figure, were it another, is found out."""
    made = advised(rows(EIGHT, STUDY), STUDY)
    for answer in made.answers:
        figures = 0
        for part, number, line in placed(answer):
            for match in re.finditer(r"(?<![\w-])[\d,.]*\d", line):
                figures += 1
                start = match.start()
                wrong = f"{line[:start]}{7 + int(line[start])}{line[start + 1 :]}"
                with pytest.raises(AssertionError):
                    check(replace(made, answers=[changed(answer, part, number, wrong)]))
        assert figures > 20


def placed(answer: Answer) -> list[tuple[str, int, str]]:
    """Returns each sentence with where it stands."""
    parts = {"headline": [answer.headline], "points": answer.points, "rest": answer.rest}
    return [(part, n, line) for part, lines in parts.items() for n, line in enumerate(lines)]


def changed(answer: Answer, part: str, number: int, line: str) -> Answer:
    if part == "headline":
        return replace(answer, headline=line)
    lines = list(getattr(answer, part))
    lines[number] = line
    return replace(answer, points=lines) if part == "points" else replace(answer, rest=lines)
