"""Every YAML under conf/ explains itself."""

from __future__ import annotations

import re

import pytest

from tests.support.compositions import CONF, FILES

SELF_EXPLAINING = re.compile(
    r"""\s*(
        - \s (_self_ | override \s .*)          # entries of the defaults list that choose nothing
      | [\w/]+: (\s+\#.*)?                      # a section
      | _target_: .*                            # the class, whose docstring explains it
      | (electricity_)?source: \s " .* "        # a source is itself the explanation
    )""",
    re.VERBOSE,
)


def uncommented(text: str) -> list[str]:
    """Returns the lines of a YAML text that set something and don't say what it is.

    Each value has a comment on its line. Exempt are sections, `_target_`, sources in quotes,
    entries of the defaults list that choose nothing, and Hydra's own section.
    """
    bare = []
    section = ""
    for line in text.splitlines():
        if re.match(r"\w", line):
            section = line.partition(":")[0]
        without_strings = re.sub(r'"[^"]*"', '""', line)
        if (
            line.strip()
            and section != "hydra"
            and not re.search(r"(^|\s)# *\S", without_strings)
            and not SELF_EXPLAINING.fullmatch(line)
        ):
            bare.append(line)
    return bare


@pytest.mark.parametrize("name", FILES)
def test_file_explains_itself(name: str) -> None:
    package, text = re.fullmatch(
        r"(# @package _global_\n)?(.*)", (CONF / name).read_text("utf-8"), re.DOTALL
    ).groups()
    assert (package is not None) == name.startswith("experiment/")
    assert text.startswith("# ")
    assert uncommented(text) == []


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        pytest.param("amount: 0.3  # fraction", [], id="commented"),
        pytest.param("amount: 0.3", ["amount: 0.3"], id="bare number"),
        pytest.param("price:\n  pue: 1.0", ["  pue: 1.0"], id="bare, indented"),
        pytest.param('region: "a # b"', ['region: "a # b"'], id="hash inside a string"),
        pytest.param("amount: 0.3  #", ["amount: 0.3  #"], id="empty comment"),
        pytest.param("source: null", ["source: null"], id="no source and no word why"),
        pytest.param("  - model: vit", ["  - model: vit"], id="bare choice in the defaults"),
        pytest.param("hydra:\n  job:\n    name: a", [], id="Hydra's own section"),
        pytest.param("hydra:\n  a: 1\nb: 2", ["b: 2"], id="after Hydra's own section"),
    ],
)
def test_comment_rule(text: str, bare: list[str]) -> None:
    assert uncommented(text) == bare
