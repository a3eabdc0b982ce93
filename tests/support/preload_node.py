"""Imports what each simulated node needs, once, in the process that all are forked from."""

import mlflow

import greenexp.sweep.record
import greenexp.tracking.tracker
import tests.support.unmeasured  # noqa: F401

__all__ = ["greenexp", "mlflow"]
