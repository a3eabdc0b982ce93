"""Turns the errors of Hydra and OmegaConf into one line a user can act on."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from hydra.errors import (
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from greenexp.cli.arguments import ALL, EXPERIMENT
from greenexp.errors import GreenexpError, first_line, nearest

# Where this account, or this disk, takes no file; other errors of files are bugs.
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR)
LAUNCHER = "hydra/launcher"
EXTRAS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm"}


def one_line(error: BaseException) -> str | None:
    """Returns the message for the user, None where the error is a bug."""
    if isinstance(error, GreenexpError):
        return str(error)
    if isinstance(error, OverrideParseException):
        reason = first_line(error)
        return f"{error.override} is no override: {reason}; write key=value, quoted as needed"
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return (
            f"{error.filename or 'a file'} can't be written ({error.strerror}); work in a folder "
            "that may be written to, or give one: hydra.run.dir=…, hydra.sweep.dir=…"
        )
    if isinstance(error, MissingConfigException):
        return _unknown_choice(error)
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    for cause in _chain(error):
        if isinstance(cause, GreenexpError):  # of a resolver of ours
            return str(cause)
        if isinstance(cause, ConfigAttributeError | ConfigKeyError):
            return _unknown_key(cause)
        if isinstance(cause, ValidationError):
            reason = first_line(cause).rstrip(".")
            return f"{cause.full_key or _overridden(error)}: {reason}; give a value of that type"
        if isinstance(cause, MissingMandatoryValue):
            return f"{cause.full_key} is missing; give {cause.full_key}=…"
    return " ".join(str(error).split())


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = (error.missing_cfg_file or "").rpartition("/")
    options = list(error.options or [])
    if not group or not options:
        return first_line(error)
    if group == LAUNCHER and choice in EXTRAS:
        return (
            f"{group}={choice} needs a launcher that is not installed; "
            f"install greenexp with its extra: pip install 'greenexp[{EXTRAS[choice]}]'"
        )
    swept = group != EXPERIMENT and not group.startswith("hydra/")
    allowed = ", ".join([*options, ALL] if swept else options)
    return f"{group}={choice} is unknown; allowed: {allowed}.{nearest(choice, options)}"


def _unknown_key(cause: ConfigAttributeError | ConfigKeyError) -> str:
    parent = cause.parent_node
    siblings = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    siblings = [key for key in siblings if key not in ("hydra", "_target_")]
    return (
        f"{cause.full_key} is unknown; allowed: {', '.join(siblings) or 'nothing here'}."
        f"{nearest(str(cause.key), siblings)}"
    )


def _overridden(error: BaseException) -> str:
    match = re.search(r"override '?([^\s'=]+)", str(error))
    return match.group(1) if match else "the configuration"


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
