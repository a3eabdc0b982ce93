"""One measurement at a time on a machine, or on each of its GPUs, whatever starts it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from greenexp.errors import BadInput
from greenexp.measuring.names import Name
from greenexp.measuring.waiting import waiting
from greenexp.meters.nvml import visible_handles

MACHINE = "machine"
LOOK_EVERY_S = 0.25

_of_this_process = threading.RLock()
_held_by_thread = threading.local()  # `value`: whether this thread has the lock


@contextmanager
def machine_lock(*, alone: bool, waits: bool = True, device: str = "cpu") -> Iterator[None]:
    """Keeps other measurements of greenexp off what is measured; a thread may take it again.

    A run on a CPU has the machine for itself. Runs on different GPUs may go side by side.

    Args:
        alone: False: nothing is locked, and measurements disturb each other.
        waits: whether another measurement's end is waited for, with a word.
        device: cpu, cuda, or auto, which is cuda where there is a GPU.

    Raises:
        BadInput: where another measures and is not waited for.
    """
    if not alone:
        yield
        return
    with _of_this_process:
        if getattr(_held_by_thread, "value", False):
            yield
            return
        with ExitStack() as held:
            _take(held, device, waits)
            _held_by_thread.value = True
            try:
                yield
            finally:
                _held_by_thread.value = False


def _take(held: ExitStack, device: str, waits: bool) -> None:
    gpus = _gpus(visible=False)
    own = _gpus(visible=True)[:1] if device != "cpu" else []
    if not own:
        # Who waits for GPUs has the machine's name already, so no new run slips in.
        for name in (MACHINE, *gpus):
            held.enter_context(_held(name, waits))
        return
    with _held(MACHINE, waits):
        held.enter_context(_held(own[0], waits))


@contextmanager
def _held(called: str, waits: bool) -> Iterator[None]:
    name = Name(called)
    if not name.take():
        pid = name.holder()
        other = "" if pid is None else f" (process {pid})"
        if not waits:
            raise BadInput(
                f"another measurement of greenexp runs on this machine{other}, and each would "
                "disturb the other; give isolation.wait=true, or isolation.alone=false"
            )
        with waiting(f"another measurement of greenexp on this machine{other}"):
            while not name.take():
                time.sleep(LOOK_EVERY_S)
    try:
        yield
    finally:
        name.leave()


def _gpus(*, visible: bool) -> Sequence[str]:
    """Returns the ids of NVIDIA's GPUs: all, or those that CUDA shows, in its order."""
    import pynvml

    with suppress(pynvml.NVMLError):  # no driver
        pynvml.nvmlInit()
        try:
            count = pynvml.nvmlDeviceGetCount()
            handles = (
                visible_handles(pynvml)
                if visible
                else list(map(pynvml.nvmlDeviceGetHandleByIndex, range(count)))
            )
            return [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        finally:
            pynvml.nvmlShutdown()
    return []
