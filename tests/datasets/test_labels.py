"""Which output stands for which class."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.datasets.labels import check_spaces, identifiers, match
from greenexp.errors import BadInput, Unfit
from greenexp.protocols import LabelSpace

IMAGENET = "imagenet_1k"
IDS = identifiers(IMAGENET)
ENGLISH = [f"name {index}" for index in range(1000)]
IMAGENETTE = {  # by the _LABEL_MAP of frgfm/imagenette
    "n01440764": 0,
    "n02102040": 217,
    "n02979186": 482,
    "n03000684": 491,
    "n03028079": 497,
    "n03394916": 566,
    "n03417042": 569,
    "n03425413": 571,
    "n03445777": 574,
    "n03888257": 701,
}


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
        pytest.param(
            space("caf\u00e9", "tea"), space("tea", "cafe\u0301"), [1, 0], id="one letter of two"
        ),
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
            space("b", "a", of="s"), space("A", "b", of="s"), [1, 0], id="same space, names moved"
        ),
        pytest.param(
            space("b", "a", of="s"), space("a", "c", of="s"), [0, 1], id="same space, one renamed"
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
            r"2 classes \(a, b\) and the model 1; correct model.labels or dataset.labels$",
            id="more classes than outputs",
        ),
        pytest.param(
            space("a", "b", "c", of="s"),
            space("a", "b", of="s"),
            BadInput,
            r"2 classes \(a, b\) and the model 3; .* name them by WordNet id",
            id="a part of the classes, which one can't be told",
        ),
        pytest.param(
            space("a", "b", of=IMAGENET),
            space("n01440764"),
            BadInput,
            "imagenet_1k has 1000 classes and the model 2; correct model.labels or model.offset",
            id="a model without all classes of its space",
        ),
        pytest.param(
            space(*ENGLISH, of=IMAGENET),
            space("n01440764", "n01440764", of=IMAGENET),
            BadInput,
            "the data set has 1 names twice",
            id="an id twice",
        ),
        pytest.param(
            space(*ENGLISH, of=IMAGENET),
            space("n01440764", "n99999999", of=IMAGENET),
            Unfit,
            r"1 of the data set's 2 classes .* \(n99999999; the model has n01440764, ",
            id="an id that the space has not",
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


@pytest.mark.parametrize("of", [IMAGENET, None])
def test_part_of_a_space_is_found_by_its_ids(of: str | None) -> None:
    assert match(space(*ENGLISH, of=IMAGENET), space(*IMAGENETTE, of=of)) == list(
        IMAGENETTE.values()
    )


@pytest.mark.parametrize("of", [IMAGENET, None])
def test_ids_are_found_in_a_model_that_names_its_outputs_by_them(of: str | None) -> None:
    assert match(space(*IDS), space(*IMAGENETTE, of=of)) == list(IMAGENETTE.values())


def test_ids_of_a_model_in_another_order_count() -> None:
    model = space(*reversed(IDS), of=IMAGENET)
    assert match(model, space("n01440764", of=IMAGENET)) == [999]


def test_whole_space_is_matched_by_index_whatever_its_classes_are_called() -> None:
    dataset = space(*(f"nom {index}" for index in range(1000)), of=IMAGENET)
    assert match(space(*ENGLISH, of=IMAGENET), dataset) == list(range(1000))


def test_ids_of_imagenet_are_those_of_ilsvrc_2012() -> None:
    assert len(set(IDS)) == 1000
    assert list(IDS) == sorted(IDS)  # its class indices are in the order of the ids
    assert [name for name in IDS if not re.fullmatch(r"n\d{8}", name)] == []
    assert {name: IDS.index(name) for name in IMAGENETTE} == IMAGENETTE
    assert IDS[999] == "n15075141"


@pytest.mark.parametrize("unknown", ["digits", "../datasets/imagenet_1k", "imagenet_1k.txt/x", ""])
def test_other_spaces_have_no_ids(unknown: str) -> None:
    assert identifiers(unknown) == ()


@given(st.permutations([f"class {number}" for number in range(8)]), st.integers(0, 8))
def test_match_finds_each_name(names: list[str], count: int) -> None:
    wanted = [f"class {number}" for number in range(count)]
    indices = match(space(*names), space(*wanted))
    assert [names[index] for index in indices] == wanted


@pytest.mark.parametrize("known", [(None, None), ("s", None), (None, "s"), ("s", "s")])
def test_spaces_that_may_fit(known: tuple[str | None, str | None]) -> None:
    assert check_spaces(*known) is None


def test_spaces_that_differ() -> None:
    with pytest.raises(Unfit, match="choose a model with labels digits"):
        check_spaces("imagenet_1k", "digits")
