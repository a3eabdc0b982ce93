"""What a store raises, in one line: what refused, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from greenexp.errors import BadInput, GreenexpError, Unreachable, first_line
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking.addresses import EXAMPLE, local_folder
from greenexp.tracking.reach import NO_LOGIN

# Codes of MLflow for what another try, later, may take; the others are for the user to mend.
PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "IO_ERROR")


@contextmanager
def refusals(settings: Tracking) -> Iterator[None]:
    """Turns what a store raises into one line.

    Raises:
        Unreachable: where it does not answer, or another process holds it.
        BadInput: where the user has something to mend.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import OperationalError, SQLAlchemyError

    shown = without_secrets(settings.uri)
    try:
        yield
    except GreenexpError:
        raise
    except ImportError as error:
        raise BadInput(
            f"tracking.uri={shown} needs the package {error.name or first_line(error)}, which is "
            "not installed; pip install it, or give another address"
        ) from None
    except (MlflowException, SQLAlchemyError, OSError, ValueError) as error:
        reason = without_secrets(refusal_of(error))
        if "database is locked" in str(error):
            raise Unreachable(
                f"another process has held {shown} for {settings.locked_s:g} s; "
                "tracking.locked_s=… waits longer"
            ) from None
        if "out-of-date database schema" in str(error):
            raise BadInput(
                f"{shown} was made by another version of MLflow; copy it as a backup and run "
                f"`mlflow db upgrade {shown}`, or give another tracking.uri"
            ) from None
        code = getattr(error, "error_code", None)
        silent = isinstance(error, OperationalError) and local_folder(settings.uri) is None
        if silent or (code in PASSING and local_folder(settings.uri) is None):
            raise Unreachable(unreachable(settings, reason)) from None
        raise BadInput(
            f"tracking.uri={shown} can't be used: {reason}; mend that, or give the address of "
            f"another MLflow store, e.g. {EXAMPLE}"
        ) from None


def refusal_of(error: BaseException) -> str:
    """Returns why a store refused: what its database said, where one did."""
    if getattr(error, "error_code", None) == "UNAUTHENTICATED":
        return NO_LOGIN
    cause: BaseException | None = error
    while cause is not None:
        original = getattr(cause, "orig", None)  # SQLAlchemy's errors hold their database's
        if isinstance(original, BaseException):
            return first_line(original)
        cause = cause.__cause__ or cause.__context__
    return first_line(error)


def unreachable(settings: Tracking, reason: str) -> str:
    """Returns the line on a store that does not answer, with what can be done."""
    return (
        f"MLflow at {without_secrets(settings.uri)} does not answer: {reason}; start it, give "
        "another tracking.uri, or measure into the journal with tracking.offline=true"
    )


@contextmanager
def unreadable(settings: Tracking) -> Iterator[None]:
    """Says in one line why a store can't be read."""
    try:
        yield
    except _kinds() as error:
        raise BadInput(
            f"the runs at {without_secrets(settings.uri)} can't be read: "
            f"{without_secrets(refusal_of(error))}; "
            "give the address of an MLflow store, e.g. sqlite:///mlruns/mlflow.db"
        ) from None


def _kinds() -> tuple[type[Exception], ...]:
    """Returns what a store that can't be read raises; MLflow's own once it is imported."""
    from sqlalchemy.exc import SQLAlchemyError

    mlflow = sys.modules.get("mlflow.exceptions")
    own = () if mlflow is None else (mlflow.MlflowException,)
    return (SQLAlchemyError, OSError, ImportError, *own)
