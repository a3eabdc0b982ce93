"""What the page says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from markupsafe import escape

from greenexp.quantities import COST, ENERGY, LATENCY
from greenexp.report.figures.figures import figures
from greenexp.report.tables import page
from greenexp.report.tables.page import ANSWERED_MODELS
from greenexp.report.words.advice import answers
from greenexp.study.savings import Occupancy
from tests.support.advised import advised_by
from tests.support.pages import numbers, read
from tests.support.studies import study
from tests.support.studies_changed import flagged


def test_advice_comes_first_and_next_steps_follow() -> None:
    made = study()
    seen = read(made)
    assert [name for _, name in seen.headings][:3] == ["paper", "Advice", "Next steps"]
    places = []
    for line in (*advised_by(made), *made.next_steps):
        places.append(seen.text.index(line, places[-1] if places else 0))
    assert places[-1] < seen.text.index("Over all models", places[0])


def test_advice_of_many_models_is_folded_below_that_over_models() -> None:
    made = study(ANSWERED_MODELS + 1, 1)
    text = page.html(made)
    opened = text[text.index('id="advice"') : text.index("</section>", text.index('id="advice"'))]
    general, folded = opened.split("<details><summary>Model by model", 1)
    *of_models, over_models = [str(escape(each.headline)) for each in answers(made)]
    assert over_models in general
    for headline in of_models:
        assert headline not in general
        assert headline in folded


def test_over_one_model_nothing_is_said() -> None:
    seen = read(study(1, 3))
    assert "Over all models" not in [name for _, name in seen.headings]
    assert "#overall" not in [attributes.get("href") for _, attributes in seen.tags]
    last = seen.table("vit_base_patch16_224: mean over blocks").rows[-1]
    assert last[0].startswith("baseline again (A/A)")


def test_flagged_runs_that_count_stay_flagged_wherever_their_figures_stand() -> None:
    made = flagged(study(2, 2))
    text = read(made).text
    assert f"{made.flagged} of {made.runs} runs flagged." in text
    assert text.count("cpu_steal") >= len(made.cells) + len(made.overall)
    assert "the runs are flagged" in text
    for figure in figures(made):
        assert "Flagged runs are among them: cpu_steal." in figure.caption
    assert "No run was left out, though something stands against some" in (
        read(replace(made, left_out=[])).text
    )
    assert "flagged" not in read(replace(study(2, 2), left_out=[])).text


def test_single_runs_have_their_figures_on_the_page() -> None:
    made = study(1, 1)
    alone = replace(
        made, cells=[], overall=[], noise={}, advice=[], aside=[replace(made.cells[0], effects={})]
    )
    seen = read(alone)
    assert "There is no finished, valid run" not in seen.text
    row = seen.table("imagenet_1k · local · steady: each as measured").rows[1]
    assert row[:2] == [made.cells[0].model, "baseline"]


def test_dollars_say_who_saves_them() -> None:
    made = study(1, 2)
    rented = replace(
        made,
        cells=[
            replace(cell, cost_holds="machine", occupancy=Occupancy(0.0131, 292.0))
            for cell in made.cells
        ],
    )
    text = read(rented).text
    either = "a rented machine is 292 USD a month either way"
    assert f"only if the 9.56 hours of computing are what is paid; {either}" in text
    assert "Who saves the dollars?" in text
    assert "Who saves the dollars?" not in read(made).text


def test_machine_has_its_cores_and_memory_and_runs_their_dates() -> None:
    ran = "Made-up CPU (2 logical CPUs, 7.50 GiB of memory)"
    seen = read(replace(study(1, 1), ran_on=[ran], measured="2026-11-29 to 2026-11-30"))
    assert f"machine {ran} measured 2026-11-29 to 2026-11-30" in seen.text


def test_captions_name_only_what_is_drawn() -> None:
    bare = study(1, 2, blocks=1)
    (caption,) = [t.caption for t in read(bare).tables if "of one block" in t.caption]
    assert "adjusted" not in caption
    assert "mean over blocks" not in caption
    one_block = {figure.name: figure.caption for figure in figures(bare)}
    assert "Bars" not in one_block["forest_energy"]
    assert "Hollow" in one_block["forest_energy"]
    several = {figure.name: figure.caption for figure in figures(study(3, 3))}
    assert "Bars" in several["forest_energy"]
    assert "Hollow" not in several["forest_energy"]


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
            quantity = cell.quantities[metric]
            assert quantity.interval is not None
            expected = [quantity.value, quantity.interval.low, quantity.interval.high]
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
            payback = cell.paybacks[currency]  # type: ignore[index] # of Currency
            if payback.verdict == "pays back":
                assert payback.images is not None
                assert row[column].startswith("after ")
                assert numbers(row[column])[0] == pytest.approx(payback.images, rel=6e-3, abs=1)
            else:
                assert row[column].startswith(payback.verdict)
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
        for sensitivity, (_, name, text) in zip(cell.sensitivities, tried, strict=True):
            assert name == sensitivity.name
            assert numbers(text)[1::2] or sensitivity.saved == []
            assert [part.count(":") for part in text.split("; ")] == [1] * len(sensitivity.values)


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
        warning = "more than accepted" in table.row(cell.tactic)["Change"]
        assert warning == (cell.accuracy.delta < -made.max_top1_drop)


def test_left_out_notes_prices_and_method_are_said() -> None:
    made = study()
    seen = read(made)
    table = seen.table("Runs that no figure here is made of")
    assert [row[0] for row in table.rows[1:]] == [omission.reason for omission in made.left_out]
    assert [row[1] for row in table.rows[1:]] == [str(omission.runs) for omission in made.left_out]
    for line in (*made.notes, *made.prices, made.cells[0].setting.machine):
        assert line in seen.text
    for word in ("Holm", "McNemar", "Fieller", "A/A", "Nothing was measured anew"):
        assert word in seen.text
