"""`python -m greenexp.report`: what the runs at hand say, at prices that may be given anew."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from greenexp.cli.compose import settings
from greenexp.cli.exit import exit_code, told
from greenexp.cli.explained import explained
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.settings.stores import Stores, listed

if TYPE_CHECKING:
    from greenexp.report.sources import Sources
    from greenexp.report.workers import Workers
    from greenexp.study.study import Study

HARDWARE, STORE = "hardware", "tracking.uri"


def main() -> int:
    """Runs the command line and returns the exit code."""
    return exit_code(partial(explained, _hydra_main, "report"))


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="report")
def _hydra_main(cfg: DictConfig) -> None:
    with told():
        _report(cfg)


def _report(cfg: DictConfig) -> None:
    """Shows the report and writes it; one that nothing has changed for is only shown again."""
    from greenexp.cli import console
    from greenexp.report import kept
    from greenexp.report.asked import folder_of

    plain = settings(cfg)
    context = HydraConfig.get()
    given = {
        "overrides": sorted(context.overrides.task),
        "day": datetime.date.today(),  # prices grow old
        **plain,
        **console.appearance(),
    }
    base = Path(context.runtime.output_dir)
    elsewhere = any(_key(override) == "hydra.run.dir" for override in context.overrides.hydra)
    folder = base if elsewhere else folder_of(base, context.overrides.task)
    where = typed(plain, "tracking", Stores)
    journals = _journals(plain["journal"])
    key = kept.key(given)
    text = kept.shown(folder, key)
    if text is not None:
        console.show_text(text)
        console.note(f"Report: {folder / kept.PAGE}, as it was: nothing has changed since")
        return
    from greenexp.report.sources import sources

    named = any(_key(override) == STORE for override in context.overrides.task)
    stores = where.each() if named or not journals else []
    opened = sources(stores, journals, where.experiment, ignored=base)
    from greenexp.report import write  # its figures take a second to import
    from greenexp.report.workers import workers

    gc.disable()  # nothing is let go before the end, and looking for it takes a sixth of the time
    with workers(opened.paths()) as pools:
        made = _study(cfg, opened, pools)
        path = write.write(made, folder, pools)
    text = console.shown(made)
    console.show_text(text)
    kept.keep(folder, key, opened.files, text)
    console.note(f"Report: {path}")
    gc.freeze()  # Python looks for garbage once more when it ends


def _journals(given: Any) -> list[str]:
    """Returns the folders that `journal` names; none where it is not given."""
    if given is None:
        return []
    return listed("journal", given, "a folder, or a list: [multirun-a,multirun-b]")


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+")


def _study(cfg: DictConfig, opened: Sources, pools: Workers) -> Study:
    from greenexp.report import summary
    from greenexp.report.asked import asked
    from greenexp.report.words import notes

    plain = settings(cfg)
    context = HydraConfig.get()
    chosen = context.runtime.choices.get(HARDWARE)
    given = [_key(override) for override in context.overrides.task]
    changed = [key for key in given if key.startswith(f"{HARDWARE}.")]
    whole = asdict(typed(plain, "report", Report))
    own = {key.removeprefix("report.") for key in given if key.startswith("report.")}
    of = asked(opened.runs(), {key: whole[key] for key in own})
    pricing = _pricing(cfg, chosen, changed)
    made = summary.study(of.runs, opened, of.options, *pricing, pools=pools, earlier=of.others)
    more = notes.of_sources(opened.names, opened.shared)
    return replace(made, notes=[*filter(None, [of.remembered]), *made.notes, *more])


def _pricing(
    cfg: DictConfig, chosen: str | None, changed: list[str]
) -> tuple[Callable[[Hardware], Hardware], str | None]:
    """Returns how a run's preset becomes the one to price with, and what that is called."""
    from greenexp.study.select import own_prices

    plain = settings(cfg)
    whole = typed(_undated(plain, changed), HARDWARE, Hardware)
    if chosen is not None:
        return lambda own: whole, str(chosen)
    if not changed:
        return own_prices, None

    def with_changes(own: Hardware) -> Hardware:
        merged: dict[str, Any] = {HARDWARE: asdict(own)}
        for key in changed:
            *sections, name = key.split(".")
            into, given = merged, plain
            for section in sections:
                into, given = into[section], given[section]
            into[name] = given[name]
        return typed(_undated(merged, changed), HARDWARE, Hardware)

    return with_changes, None


def _undated(plain: dict[str, Any], changed: list[str]) -> dict[str, Any]:
    """Returns the preset without the date and source of prices that were given anew."""
    hardware = dict(plain[HARDWARE])
    for section in ("price", "carbon"):
        anew = [key for key in changed if key.startswith(f"{HARDWARE}.{section}.")]
        fields = {
            name: None for name in ("date", "source") if f"{HARDWARE}.{section}.{name}" not in anew
        }
        if anew:
            hardware[section] = {**hardware[section], **fields}
    return {HARDWARE: hardware}
