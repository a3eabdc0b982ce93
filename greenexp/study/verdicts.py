"""The kinds of what a study says; words are made of them at the rim."""

from __future__ import annotations

from enum import Enum, StrEnum, auto


class Verdict(StrEnum):
    """What may be claimed of a ratio to the baseline."""

    LOWER = "lower"
    HIGHER = "higher"
    EQUAL = "equal"  # within the margin of the effect
    NOT_SHOWN = "no difference shown"
    TOO_FEW = "too few runs"


class PaybackVerdict(StrEnum):
    """What may be claimed of break-even."""

    AT_ONCE = "at once"  # applying the tactic is free
    PAYS_BACK = "pays back"
    NEVER = "never"  # the interval of the saving includes 0 or less
    ONE_BLOCK = "one block"  # there is no interval, so nothing is claimed


class EnergyBasis(Enum):
    """What joules are made of, by the least certain of their sources."""

    COUNTER = auto()  # hardware counters alone
    SAMPLED = auto()  # measured, at least in part by integrating sampled power
    ESTIMATED = auto()  # estimates alone
    MIXED = auto()  # an estimate in part, measured in part

    @property
    def holds_estimates(self) -> bool:
        """Whether any part of the joules is an estimate."""
        return self in (EnergyBasis.ESTIMATED, EnergyBasis.MIXED)


class LeftOutReason(StrEnum):
    """Why no figure is made of a run; the texts read on into the detail of `LeftOut`."""

    FAILED = "ended as"
    OLD = "recorded before runs said what they are compared with (no tag greenexp.peers)"
    SINGLE = "in no block of a sweep, so beside no baseline"
    FLAGGED = "flagged:"
    REPEATED = "measured again later"


class AdviceKind(Enum):
    """What is advised, or why nothing is."""

    DEPLOY = auto()
    KEEP = auto()  # the baseline: no allowed tactic is better by more than the margin, as is shown
    UNDECIDED = auto()  # neither is shown
    NO_BASELINE = auto()
    ONLY_BASELINE = auto()
    NO_PAIR = auto()  # no tactic shares a block with the baseline
    TOO_FEW_MODELS = auto()


class Caveat(Enum):
    """What a reader must know of the top-1 of a tactic that is advised."""

    ERROR_UNKNOWN = auto()  # predictions on the same images are missing
    LARGER_DROP_POSSIBLE = auto()  # the interval holds larger drops than allowed
