"""Draws docs/images/block.png: one model measured twice, apart and in a block, on this machine.

    python docs/block_picture.py [--model digits_vit] [--out docs/images/block.png]

Both halves measure the baseline against itself (A/A), so that every difference is false. Above, one
run follows the other; below, both take turns in rounds. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from hydra import compose, initialize_config_dir
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from greenexp.cli.compose import register, settings
from greenexp.measuring import isolation
from greenexp.measuring.arm import Member
from greenexp.measuring.block import together
from greenexp.measuring.isolated import isolated
from greenexp.runs.result import Result, Window
from greenexp.settings.conf import config_dir
from greenexp.stats.robust import center

WINDOWS = 150
COLORS = ("#6b7280", "#0072b2")
NAMES = ("baseline", "baseline again (A/A)")


def main() -> None:
    """Measures and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="digits_vit")
    parser.add_argument("--out", type=Path, default=Path("docs/images/block.png"))
    arguments = parser.parse_args()
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        overrides = [f"model={arguments.model}", f"workload.min_windows={WINDOWS}"]
        overrides += [f"workload.max_windows={WINDOWS}", "workload.half_width=null"]
        configuration = settings(compose("config", overrides=overrides))
    isolation.prepare()
    apart = [isolated(configuration) for _ in NAMES]
    (results,) = together([Member(configuration, True), Member(configuration, True)], seed="0")
    draw(apart, [results[0], results[1]], arguments.out)


def draw(apart: Sequence[Result], in_turn: Sequence[Result], out: Path) -> None:
    """Draws two runs measured apart above the same two measured in a block."""
    mpl.use("agg")
    plt.rcParams["font.size"] = 10
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 6), sharey=True, layout="constrained")
    first, second = ([ms(window) for window in result.windows] for result in apart)
    for values, color, start in ((first, COLORS[0], 1), (second, COLORS[1], 1 + len(first))):
        above.plot(range(start, start + len(values)), values, ".", color=color, markersize=4)
        above.hlines(statistics.mean(values), start, start + len(values), color, linewidth=1)
    ratio = statistics.mean(second) / statistics.mean(first)
    above.set_title(f"One after the other: A/A ×{ratio:.3f}", loc="left")
    above.set_xlabel("window")
    by_round = [{window.round: ms(window) for window in result.windows} for result in in_turn]
    rounds = sorted(set(by_round[0]) & set(by_round[1]))
    for values_of, color, name in zip(by_round, COLORS, NAMES, strict=True):
        below.plot(
            rounds, [values_of[n] for n in rounds], ".", color=color, markersize=4, label=name
        )
    middle = center([math.log(by_round[1][n] / by_round[0][n]) for n in rounds])
    if middle is None:
        raise RuntimeError("too few rounds to draw")
    ends = [math.exp(middle.value + sign * middle.half_width) for sign in (-1, 1)]
    below.set_title(
        f"In a block, in turn: A/A ×{math.exp(middle.value):.3f} "
        f"({ends[0]:.3f} to {ends[1]:.3f} over the rounds)",
        loc="left",
    )
    below.set_xlabel("round")
    below.legend(loc="upper right", frameon=False)
    for axes in (above, below):
        axes.set_ylabel("ms an image")
        _plain(axes)
    figure.savefig(out, dpi=110)


def ms(window: Window) -> float:
    """Returns the milliseconds that an image took in a window."""
    return 1000 * window.duration_s / window.images


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


if __name__ == "__main__":
    main()
