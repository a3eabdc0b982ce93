"""What the report assumes and asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from greenexp.errors import BadInput
from greenexp.settings.checks import check_range

LARGEST_DROP = 0.2  # a larger one is no limit, and a 1 given for one point is 100 points


@dataclass
class Report:
    """What the report assumes and asks."""

    max_top1_drop: float = 0.01  # of top-1, that advice may give up; 0.01 is one point
    requests_per_month: float = 1e6  # images served a month, one a request
    months: float = 12.0  # over which bills are summed
    equal_within: float = 0.03  # fraction by which two may differ and be called equal
    keep_flagged: bool = False  # True: runs that something stands against count too
    after_sweep: bool = True  # False: a sweep ends without a summary
    model: Any = None  # of a report: its models alone, one or a list
    sweep: Any = None  # of a report: its sweeps alone, one or a list; last: the latest

    def __post_init__(self) -> None:
        if not 0 <= self.max_top1_drop <= LARGEST_DROP:
            raise BadInput(
                f"report.max_top1_drop={self.max_top1_drop:g} is out of range; allowed: a fraction "
                f"of top-1 from 0 to {LARGEST_DROP:g}; one point is 0.01"
            )
        check_range("report.equal_within", self.equal_within, above=0, below=1)
        check_range("report.requests_per_month", self.requests_per_month, above=0)
        check_range("report.months", self.months, above=0)
