"""The help of the commands: Hydra's own, each option with the comment of its YAML file beside it.

Hydra shows the values alone. What each means stands in `conf/`, on its line, and nowhere else.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import yaml
from hydra._internal.utils import get_args_parser

from greenexp.settings.conf import config_dir

OPTIONS = "== Options =="  # in the templates of conf/, before the configuration
COMMENT_AT = 35  # characters
SETS = re.compile(r"( *)([\w]+):(?: |$)")
COMMENT = re.compile(r"""(?:[^#"']|"[^"]*"|'[^']*'|(?<! )[#'])*? +# *(.+)""")
CHOICE = re.compile(r"\+?([\w/]+)(?:@([\w.]+))?=([\w-]+)")


def explained(hydra_main: Callable[[], object], name: str) -> None:
    """Runs a command of Hydra's; where it is asked for help, options have their comments.

    Args:
        hydra_main: the command.
        name: of its configuration file.
    """
    if not _asks_for_help(sys.argv[1:]):
        hydra_main()
        return
    shown = io.StringIO()
    try:
        with redirect_stdout(shown):
            hydra_main()
    finally:  # Hydra exits once it has shown its help
        comments = _comments_of(name, config_dir(), sys.argv[1:])
        sys.stdout.write(with_comments(shown.getvalue(), comments))


def with_comments(text: str, comments: Mapping[str, str]) -> str:
    """Returns a help text with comments beside the options that it lists.

    Args:
        text: of the help.
        comments: by the dotted key of the option.
    """
    head, marker, options = text.partition(OPTIONS)
    if not marker:
        return text
    lines = [
        line if key is None or key not in comments else f"{line:{COMMENT_AT}} # {comments[key]}"
        for line, key in _keyed(options.splitlines(keepends=False))
    ]
    return head + marker + "\n".join(lines).rstrip() + "\n"


def comments_in(text: str) -> dict[str, str]:
    """Returns the comments of a YAML text by the dotted key whose line they stand on."""
    keyed = ((COMMENT.match(line), key) for line, key in _keyed(text.splitlines()))
    return {key: match[1] for match, key in keyed if match is not None and key is not None}


def _keyed(lines: Iterable[str]) -> Iterable[tuple[str, str | None]]:
    """Yields each line with the dotted key that it sets, None where it sets none."""
    outer: list[tuple[int, str]] = []
    for line in lines:
        match = SETS.match(line)
        if match is None:
            yield line, None
            continue
        indent = len(match[1])
        outer = [(depth, key) for depth, key in outer if depth < indent]
        outer.append((indent, match[2]))
        yield line, ".".join(key for _, key in outer)


def _comments_of(name: str, folder: Path, arguments: Sequence[str]) -> dict[str, str]:
    """Returns the comments of a configuration file and of the options that are chosen in it."""
    main = folder / f"{name}.yaml"
    written = main.read_text(encoding="utf-8")
    given = get_args_parser().parse_intermixed_args(list(arguments))
    folders = [folder, *([Path(given.config_dir)] if given.config_dir else [])]
    listed = yaml.safe_load(written).get("defaults", [])
    defaults = [entry for entry in listed if isinstance(entry, dict)]
    chosen = [f"{key}={value}" for entry in defaults for key, value in entry.items()]
    comments = comments_in(written)
    for choice in [*chosen, *given.overrides]:
        match = CHOICE.fullmatch(choice)
        paths = [] if match is None else [at / match[1] / f"{match[3]}.yaml" for at in folders]
        for path in paths:
            if match is not None and path.is_file():
                section = match[2] or match[1]
                own = comments_in(path.read_text(encoding="utf-8"))
                comments |= {f"{section}.{key}": comment for key, comment in own.items()}
    return comments


def _asks_for_help(arguments: Sequence[str]) -> bool:
    return any(word in ("--help", "-h") for word in arguments)
