"""`python -m greenexp.report`: what the runs at hand say, at prices that may be given anew."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from greenexp.cli.compose import settings
from greenexp.cli.exit import exit_code
from greenexp.errors import GreenexpError
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking

if TYPE_CHECKING:
    from greenexp.report.workers import Workers
    from greenexp.study.study import Study
    from greenexp.tracking.reader import Reader

HARDWARE = "hardware"


def main() -> int:
    """Runs the command line and returns the exit code."""
    return exit_code(_hydra_main)


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="report")
def _hydra_main(cfg: DictConfig) -> None:
    from greenexp.cli import console

    try:
        _report(cfg)
    except GreenexpError as error:
        console.note(f"greenexp: {error}")
        raise SystemExit(1) from None  # an exception would make Hydra print lines of its own


def _report(cfg: DictConfig) -> None:
    """Shows the report and writes it; one that nothing has changed for is only shown again."""
    from greenexp.cli import console
    from greenexp.report import kept
    from greenexp.tracking.reader import reader

    plain = settings(cfg)
    context = HydraConfig.get()
    given = {
        "overrides": sorted(context.overrides.task),
        "day": datetime.date.today(),  # prices grow old
        **plain,
        **console.appearance(),
    }
    folder = Path(context.runtime.output_dir)
    where = typed(plain, "tracking", Tracking)
    key = kept.key(given)
    text = kept.shown(folder, key)
    if text is not None:
        console.show_text(text)
        console.note(f"Report: {folder / kept.PAGE}, as it was: nothing has changed since")
        return
    from greenexp.report import write  # its figures take a second to import
    from greenexp.report.workers import workers

    opened = reader(where)
    gc.disable()  # nothing is let go before the end, and looking for it takes a sixth of the time
    with workers(opened.paths()) as pools:
        made = _study(cfg, opened, pools)
        path = write.write(made, folder, pools)
    text = console.shown(made)
    console.show_text(text)
    kept.keep(folder, key, opened.files, text)
    console.note(f"Report: {path}")
    gc.freeze()  # Python looks for garbage once more when it ends


def _study(cfg: DictConfig, opened: Reader, pools: Workers) -> Study:
    from greenexp.report import summary

    plain = settings(cfg)
    context = HydraConfig.get()
    chosen = context.runtime.choices.get(HARDWARE)
    given = [override.partition("=")[0].lstrip("+") for override in context.overrides.task]
    changed = [key for key in given if key.startswith(f"{HARDWARE}.")]
    options = typed(plain, "report", Report)
    pricing = _pricing(cfg, chosen, changed)
    return summary.study(opened.runs(), opened, options, *pricing, pools=pools)


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
