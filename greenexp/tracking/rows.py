"""Rows of MLflow's database that several processes write at the same moment.

MLflow looks whether a row is there, and adds it where it is not. Where another process has added it
in between, the database refuses the second. The next try finds the row.
"""

from __future__ import annotations

from collections.abc import Callable

TRIES = 5  # of one request, whose rows several others may add one after another
REFUSED = "BAD_REQUEST"  # MLflow's code where its database refuses a row, among others


def written(write: Callable[[], object]) -> None:
    """Calls what writes rows that another process may write, and again where they are refused.

    Args:
        write: may be called several times to the same effect.

    Raises:
        MlflowException: where MLflow refuses it again and again, or for another reason.
    """
    from mlflow.exceptions import MlflowException

    for tries_left in reversed(range(TRIES)):
        try:
            write()
            return
        except MlflowException as error:
            if error.error_code != REFUSED or not tries_left:
                raise
