"""Where a model is served."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.settings.checks import check_range

PORTS = 65_535


@dataclass
class Serve:
    """What is served, where, and how long."""

    model: str | None = None  # name in MLflow's registry; model=… on the command line
    host: str = "127.0.0.1"  # this machine alone; nobody is asked for a login
    port: int = 5001
    timeout_s: float = 120.0  # s that the server may take to start, and to answer
    check_only: bool = False  # True: it stops once it has classified the known image

    def __post_init__(self) -> None:
        check_range("serve.port", self.port, at_least=1, at_most=PORTS)
        check_range("serve.timeout_s", self.timeout_s, above=0)
