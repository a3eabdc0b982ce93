"""Which output stands for which class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.datasets.labels import check_spaces, match
from greenexp.errors import BadInput, Unfit
from greenexp.protocols import LabelSpace


def space(*names: str, of: str | None = None) -> LabelSpace:
    return LabelSpace(of, names)


@pytest.mark.parametrize(
    ("model", "dataset", "classes"),
    [
        pytest.param(space("cat", "dog"), space("cat", "dog"), [0, 1], id="same names"),
        pytest.param(space("dog", "cat"), space("cat", "dog"), [1, 0], id="another order"),
        pytest.param(space("cat", "emu", "dog"), space("dog"), [2], id="a few of the model's"),
        pytest.param(space(" Cat ", "DOG"), space("cat", "dog "), [0, 1], id="case and blanks"),
        pytest.param(space("STRASSE"), space("straße"), [0], id="case beyond English"),
        pytest.param(space("crane", "crane", "dog"), space("dog"), [2], id="model's twins unused"),
        pytest.param(
            space("a", "b", of="s"), space("c", "d", of="s"), [0, 1], id="same space, by index"
        ),
        pytest.param(
            space("crane", "crane", of="s"),
            space("crane", "crane", of="s"),
            [0, 1],
            id="same space with twins",
        ),
        pytest.param(
            space("a", "b", "c", of="s"), space("a", "b", of="s"), [0, 1], id="beginning of a space"
        ),
        pytest.param(space("b", "a", of="s"), space("a"), [1], id="only the model's is known"),
        pytest.param(space("b", "a"), space("a", of="s"), [1], id="only the data set's is known"),
    ],
)
def test_match(model: LabelSpace, dataset: LabelSpace, classes: list[int]) -> None:
    assert match(model, dataset) == classes


@pytest.mark.parametrize(
    ("model", "dataset", "kind", "words"),
    [
        pytest.param(
            space("a", of="imagenet_1k"),
            space("a", of="digits"),
            Unfit,
            "the model's are imagenet_1k and the data set's are digits",
            id="other spaces, though names agree",
        ),
        pytest.param(space("cat"), space("cat", "emu"), Unfit, "1 of .* 2 .*emu", id="no class"),
        pytest.param(
            space(*"abc"), space(*"vwxyz"), Unfit, r"5 of .* 5 .*\(v, w, x, …;", id="some examples"
        ),
        pytest.param(
            space("a", of="s"),
            space("a", "b", of="s"),
            BadInput,
            "2 classes and the model 1",
            id="more classes than outputs",
        ),
        pytest.param(
            space("crane", "Crane"),
            space("crane"),
            BadInput,
            r"the model has 1 .*\(crane\)",
            id="model's twins",
        ),
        pytest.param(
            space("crane", "dog"),
            space("crane", "CRANE "),
            BadInput,
            "the data set has 1",
            id="data set's twins",
        ),
    ],
)
def test_no_match(model: LabelSpace, dataset: LabelSpace, kind: type[BadInput], words: str) -> None:
    with pytest.raises(kind, match=words) as refused:
        match(model, dataset)
    assert refused.type is kind
    assert "\n" not in str(refused.value)


@given(st.permutations([f"class {number}" for number in range(8)]), st.integers(0, 8))
def test_match_finds_each_name(names: list[str], count: int) -> None:
    wanted = [f"class {number}" for number in range(count)]
    found = match(space(*names), space(*wanted))
    assert [names[index] for index in found] == wanted


@pytest.mark.parametrize("known", [(None, None), ("s", None), (None, "s"), ("s", "s")])
def test_spaces_that_may_fit(known: tuple[str | None, str | None]) -> None:
    assert check_spaces(*known) is None


def test_spaces_that_differ() -> None:
    with pytest.raises(Unfit, match="choose a model with labels digits"):
        check_spaces("imagenet_1k", "digits")
