"""`python -m greenexp.catalog`: the models and data sets to choose from, with what is known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from greenexp.catalog import rows, tables
from greenexp.catalog.scores import scores
from greenexp.cli import console
from greenexp.cli.version import named_version
from greenexp.errors import BadInput, nearest
from greenexp.runs.identity import BASELINE
from greenexp.settings.checks import check_choice
from greenexp.settings.conf import config_dir
from greenexp.settings.sweep import Tracking
from greenexp.tracking.opening import runs_there

GROUPS = ("model", "dataset")
OPTIONS = ("--tracking-uri", "--experiment", "--csv", "--markdown", "--version", "--help")
KEYS = {  # the other commands' grammar: key=value; markdown=true stands for the flag
    "group": None,
    "tracking.uri": "--tracking-uri",
    "tracking.experiment": "--experiment",
    "csv": "--csv",
    "markdown": "--markdown",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Shows the catalogue and returns the exit code.

    Args:
        arguments: command line without the program's name; that of the process if None.
    """
    try:
        _show(_options(arguments))
    except BadInput as error:
        console.note(str(error))
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    defaults = Tracking()
    # Without exit_on_error=False lines on usage would precede argparse's message.
    parser = argparse.ArgumentParser(
        prog="python -m greenexp.catalog",
        description="Lists the models and data sets to choose from.",
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument("group", nargs="?", help=f"{' or '.join(GROUPS)} (default: both)")
    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        default=defaults.uri,
        help="MLflow store whose runs are shown as measured (default: %(default)s)",
    )
    parser.add_argument(
        "--experiment",
        metavar="NAME",
        default=defaults.experiment,
        help="experiment in that store (default: %(default)s)",
    )
    parser.add_argument(
        "--csv", metavar="PATH", type=Path, help="folder to write model.csv and dataset.csv to"
    )
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    parser.add_argument("--version", action="version", version=named_version())
    given = _flags(sys.argv[1:] if arguments is None else arguments)
    try:
        options, unknown = parser.parse_known_args(given)
    except argparse.ArgumentError as error:
        raise BadInput(f"{error}; see python -m greenexp.catalog --help") from None
    if unknown:
        raise BadInput(
            f"{unknown[0]} is unknown; allowed: {', '.join(OPTIONS)}.{nearest(unknown[0], OPTIONS)}"
        )
    if options.group is not None:
        check_choice("group", options.group, GROUPS)
    return options


def _flags(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with each `key=value` as the flag that it stands for.

    Raises:
        BadInput: for a key that is not there.
    """
    flags: list[str] = []
    for word in arguments:
        key, equals, value = word.partition("=")
        if not equals or key.startswith("-"):
            flags.append(word)
        elif key not in KEYS:
            raise BadInput(f"{key} is unknown; allowed: {', '.join(KEYS)}.{nearest(key, KEYS)}")
        elif key == "markdown":
            check_choice("markdown", value, ("true", "false"))
            flags += ["--markdown"] if value == "true" else []
        else:
            flags += [*filter(None, [KEYS[key]]), value]
    return flags


def _show(options: argparse.Namespace) -> None:
    conf = config_dir()
    listings: dict[str, tables.Listing] = {}
    if options.group in (None, "model"):
        # MLflow's own default asks a server that is away for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        settings = Tracking(uri=options.tracking_uri, experiment=options.experiment)
        models = rows.models(conf, scores(runs_there(settings), BASELINE))
        listings["model"] = tables.of_models(models, rows.templates(conf, "dataset"))
    if options.group in (None, "dataset"):
        listings["dataset"] = tables.of_data_sets(rows.data_sets(conf))
    for group, listing in listings.items():
        if options.markdown:
            print(tables.markdown(listing), end="\n\n")
        else:
            console.out.print(tables.table(listing, console.out.width))
        if options.csv is not None:
            _write(options.csv / f"{group}.csv", tables.csv_text(listing))
    if "model" in listings and not options.markdown:
        for line in tables.FOOTNOTES:
            console.out.print(line, markup=False, soft_wrap=True)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"--csv={path.parent} can't be written to ({error.strerror}); give a folder"
        ) from None
