"""The form of advice: a headline, three points, and what unfolds, in words and as Markdown."""

from __future__ import annotations

from dataclasses import replace

from greenexp.report.words import advice
from greenexp.settings.report import Report
from greenexp.study.estimates import Accuracy, Interval
from greenexp.study.savings import Monthly
from greenexp.study.verdicts import AdviceKind
from tests.support.advised import answers
from tests.support.studies import study
from tests.support.studies_changed import flagged
from tests.support.synthetic_runs import compared, rows


def test_advice_is_one_line_and_three_points_and_the_rest_unfolds() -> None:
    made = study(1, 4)
    (answer,) = advice.answers(made)
    assert len(answer.headline) <= 120
    assert 1 <= len(answer.points) <= 3
    assert all(len(point) <= 160 for point in answer.points)
    assert answer.rest


def test_markdown_holds_every_sentence_and_no_sign_of_its_own() -> None:
    made = study(2, 3)
    text = advice.markdown(made)
    for each in advice.answers(made):
        assert f"**{each.headline.replace('_', chr(92) + '_')}**" in text
        for line in (*each.points, *each.rest):
            assert f"- {line.replace('_', chr(92) + '_')}" in text
    named = replace(made, advice=[replace(made.advice[0], model="*[x](javascript:alert(1))<b>")])
    assert "\\*\\[x\\](javascript:alert(1))\\<b\\>" in advice.markdown(named)


def test_what_decides_has_its_blocks_its_time_and_its_command() -> None:
    made = study(1, 1)
    (known,) = made.advice
    assert known.effect is not None
    undecided = replace(
        known,
        kind=AdviceKind.UNDECIDED,
        tactic=None,
        undecided={"openvino": replace(known.effect, ratio=0.462, interval=Interval(0.406, 0.525))},
        margin=0.03,
        blocks=1,
        repetitions=4,
        blocks_s=61.0,
    )
    (answer,) = advice.answers(replace(made, advice=[undecided]))
    assert answer.headline.endswith(
        ": undecided; 1 more block, about 1 min, should decide; "
        "openvino is at ×0.462 (0.406 to 0.525)."
    )
    assert "The same sweep with repetitions=4 adds 1 block." in answer.points


def test_flags_stand_in_the_headline() -> None:
    for answer in advice.answers(flagged(study(2, 2))):
        assert answer.headline.endswith("; the runs are flagged.")


def test_month_says_nothing_where_nothing_is_known() -> None:
    (cell,) = [cell for cell in compared(rows()).cells if not cell.is_baseline]
    bare = replace(cell, monthly=Monthly(None, None, None, None), paybacks={}, accuracy=Accuracy(0))
    base = replace(cell, tactic="baseline", effects={})
    (answer,) = answers([base, bare], [], Report())
    assert str(answer) == (
        "vit: deploy quantized; saves 40 % energy; the error of its top-1 is unknown.\n"
        "- It takes ×0.600 (0.599 to 0.601) of the baseline's energy an image.\n"
        "- Top-1 changes by 0.00 pt, whose error is unknown, for predictions on the same images "
        "are missing."
    )
    assert not answer.rest
