"""What the page says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from markupsafe import escape

from greenexp.quantities import COST, ENERGY, LATENCY
from greenexp.report.tables import page
from greenexp.report.tables.page import OPEN_MODELS
from tests.support.advised import advised_by
from tests.support.pages import numbers, read
from tests.support.studies import study


def test_advice_comes_first_and_next_steps_follow() -> None:
    made = study()
    seen = read(made)
    assert [name for _, name in seen.headings][:3] == ["paper", "Advice", "Next steps"]
    places = [seen.text.index(line) for line in (*advised_by(made), *made.next_steps)]
    assert places == sorted(places)
    assert places[-1] < seen.text.index("Over all models", places[0])


def test_advice_of_many_models_is_folded_below_that_over_models() -> None:
    made = study(OPEN_MODELS + 1, 1)
    text = page.html(made)
    general, folded = text[text.index('id="advice"') :].split("<details>", 1)
    *of_models, over_models = [str(escape(sentence)) for sentence in advised_by(made)]
    assert over_models in general
    for sentence in of_models:
        assert sentence not in general
        assert sentence in folded.partition("</details>")[0]


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [int(tag[1]) for tag, _ in read(study(3, 2, settings=2)).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_key_table_holds_the_figures_of_the_study() -> None:
    made = study(3, 4)
    table = read(made).table("Each tactic's figure")
    assert [row[0] for row in table.rows[1:-1]] == [line.tactic for line in made.overall]
    for line in made.overall:
        row = table.row(line.tactic)
        columns = {
            ENERGY: "Estimated energy, J per image",
            LATENCY: "Latency p50 ms",
            COST: "USD / million",
        }
        for metric, column in columns.items():
            effect = line.effects[metric]
            assert effect.interval is not None
            expected = [effect.ratio, effect.interval.low, effect.interval.high]
            assert numbers(row[column])[:3] == pytest.approx(expected, abs=5e-4)
            if metric != ENERGY:
                assert row[column].endswith(f"{effect.verdict} p {effect.adjusted_p:.3f}")
        energy = line.effects[ENERGY]
        assert row["Models"] == str(line.models)
        assert numbers(row["Adjusted p"]) == pytest.approx([energy.adjusted_p], abs=5e-4)
        assert row["Verdict on estimated energy"].startswith(energy.verdict)
        assert line.accuracy is not None
        assert numbers(row["Top-1 change"])[0] == pytest.approx(100 * line.accuracy.delta, abs=5e-3)


def test_noise_stands_in_the_last_row_of_the_key_table() -> None:
    made = study(3, 2)
    last = read(made).table("Each tactic's figure").rows[-1]
    (noise,) = made.noise.values()
    assert last[0].startswith("baseline again (A/A)")
    assert numbers(last[1])[0] == pytest.approx(noise[ENERGY].ratio, abs=5e-4)


def test_model_tables_hold_what_was_measured() -> None:
    made = study(2, 3)
    seen = read(made)
    for cell in made.cells:
        row = seen.table(f"{cell.model}: mean over blocks").row(cell.tactic)
        columns = {
            "Estimated energy J/image": ENERGY,
            "Latency p50 ms": LATENCY,
            "USD / million": COST,
            "CO2e g / million": "carbon/g_per_million_images",
        }
        for column, metric in columns.items():
            found = cell.quantities[metric]
            assert found.interval is not None
            expected = [found.value, found.interval.low, found.interval.high]
            assert numbers(row[column]) == pytest.approx(expected, rel=6e-3)
        if not cell.is_baseline:
            energy = cell.effects[ENERGY]
            assert numbers(row["× estimated energy"])[0] == pytest.approx(energy.ratio, abs=5e-4)
            assert energy.verdict in row["× estimated energy"]
        assert numbers(row["Top-1"]) == pytest.approx(
            [cell.quantities["accuracy/top1"].value], abs=5e-5
        )


def test_economics_hold_paybacks_months_and_bills() -> None:
    made = study(1, 3)
    seen = read(made)
    for cell in made.cells[1:]:
        row = seen.table(f"{cell.model}: when it has paid").row(cell.tactic)
        for currency, column in (("j", "In J (estimated energy)"), ("s", "In s (time)")):
            found = cell.paybacks[currency]  # type: ignore[index] # of Currency
            if found.verdict == "pays back":
                assert found.images is not None
                assert row[column].startswith("after ")
                assert numbers(row[column])[0] == pytest.approx(found.images, rel=6e-3, abs=1)
            else:
                assert row[column].startswith(found.verdict)
        month = seen.table(f"{cell.model}: saved in a month").row(cell.tactic)
        assert cell.monthly is not None
        assert cell.bill is not None
        for column, quantity in (
            ("kWh saved (estimated energy)", cell.monthly.kwh),
            ("USD saved", cell.monthly.usd),
            ("kg CO2e saved", cell.monthly.kg_co2e),
            ("Hours saved", cell.monthly.hours),
            ("Bill of 12 months, USD", cell.bill.total_usd),
        ):
            assert quantity is not None
            assert numbers(month[column])[0] == pytest.approx(quantity.value, rel=6e-3)
        table = seen.table(f"{cell.model}: what a month saves when")
        tried = [row for row in table.rows[1:] if row[0] == cell.tactic]
        for one, (_, name, text) in zip(cell.sensitivities, tried, strict=True):
            assert name == one.name
            assert numbers(text)[1::2] or one.saved == []
            assert [part.count(":") for part in text.split("; ")] == [1] * len(one.values)


def test_a_tactic_that_never_pays_back_says_never_and_no_number_first() -> None:
    made = study(1, 3)
    (cell,) = [cell for cell in made.cells if cell.tactic == "local_pruning"]
    row = read(made).table(f"{cell.model}: when it has paid").row("local_pruning")
    assert row["In J (estimated energy)"].startswith("never it takes more")


def test_accuracy_holds_lost_and_gained_images() -> None:
    made = study(1, 3)
    cell = made.cells[1]
    change = cell.accuracy
    assert change is not None
    row = read(made).table(f"{cell.model}: top-1 against").row(cell.tactic)
    assert (row["Lost"], row["Gained"]) == (str(change.lost), str(change.gained))
    assert numbers(row["Images"]) == [change.images]
    assert numbers(row["McNemar's p"]) == pytest.approx([change.p_value], abs=5e-4)


def test_a_drop_of_more_than_is_accepted_is_said() -> None:
    made = study(1, 3)
    table = read(made).table(f"{made.cells[0].model}: top-1 against")
    for cell in made.cells[1:]:
        assert cell.accuracy is not None
        said = "more than accepted" in table.row(cell.tactic)["Change"]
        assert said == (cell.accuracy.delta < -made.max_top1_drop)


def test_left_out_notes_prices_and_method_are_said() -> None:
    made = study()
    seen = read(made)
    table = seen.table("Runs that no figure here is made of")
    assert [row[0] for row in table.rows[1:]] == [one.reason for one in made.left_out]
    assert [row[1] for row in table.rows[1:]] == [str(one.runs) for one in made.left_out]
    for line in (*made.notes, *made.prices, made.cells[0].setting.machine):
        assert line in seen.text
    for word in ("Holm", "McNemar", "Fieller", "A/A", "Nothing was measured anew"):
        assert word in seen.text
