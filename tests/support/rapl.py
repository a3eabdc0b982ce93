"""A machine with a RAPL counter, for the real Zeus: a folder where it looks for one in containers.

`command` wraps a command so that it sees `/zeus_sys/class/powercap/intel-rapl`, in a mount
namespace of its own: nothing of it is there for anybody else, and nothing is left of it. The
command has no right to read what its mode forbids, whoever runs the test, and the counters rise by
a known power until it ends.

    subprocess.run(rapl.command([Zone("package-0", 20.0)], sys.executable, "-m", "greenexp"))
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RAPL = "zeus_sys/class/powercap/intel-rapl"
XEON_RANGE_J = 262_143.328850
INTERVAL_S = 0.005  # s between two updates of a counter
OTHER_UID = 1
READING_RIGHTS = "-dac_override,-dac_read_search"  # by which root reads any file
UJ_PER_J = 1e6


@dataclass(frozen=True)
class Zone:
    """One power zone.

    Attributes:
        name: as in the file `name`: `package-0`, `dram`, `psys`.
        power_w: by which its counter rises.
        range_j: at which the counter begins anew.
        readable: whether the command may read the counter; else it has mode 400 and another owner.
        lost_after_s: seconds after a reader's first process until nobody may read it; None: never.
        parts: its sub-zones.
    """

    name: str
    power_w: float
    range_j: float = XEON_RANGE_J
    readable: bool = True
    lost_after_s: float | None = None
    parts: Sequence[Zone] = ()


def command(zones: Sequence[Zone], *words: str) -> list[str]:
    """Returns the command that runs `words` on such a machine."""
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    specification = json.dumps([asdict(zone) for zone in zones])
    return ["unshare", "--mount", *own, sys.executable, __file__, specification, *words]


def _zone(values: dict) -> Zone:
    return Zone(**{**values, "parts": [_zone(part) for part in values["parts"]]})


@dataclass
class _Counter:
    """The file `energy_uj` of a zone."""

    folder: Path
    zone: Zone

    @property
    def range_uj(self) -> int:
        return int(self.zone.range_j * UJ_PER_J)

    def make(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "name").write_text(f"{self.zone.name}\n", encoding="ascii")
        (self.folder / "max_energy_range_uj").write_text(f"{self.range_uj}\n", encoding="ascii")
        self.write(0.0, None)

    def write(self, elapsed_s: float, read_for_s: float | None) -> None:
        """Replaces the file as a whole, so that no reader meets half a number."""
        energy_uj = int(elapsed_s * self.zone.power_w * UJ_PER_J) % self.range_uj
        part = self.folder / "part"
        part.write_text(f"{energy_uj}\n", encoding="ascii")
        lost_after_s = self.zone.lost_after_s
        lost = lost_after_s is not None and (read_for_s or 0.0) > lost_after_s
        if lost or not self.zone.readable:
            part.chmod(0o400)
            try:
                os.chown(part, OTHER_UID, OTHER_UID)
            except OSError:  # a namespace that has no other user: nobody may read it
                part.chmod(0)
        part.replace(self.folder / "energy_uj")


def _counters(root: Path, zones: Sequence[Zone], prefix: str = "intel-rapl") -> Iterator[_Counter]:
    for index, zone in enumerate(zones):
        name = f"{prefix}:{index}"
        yield _Counter(root / name, zone)
        yield from _counters(root / name, zone.parts, name)


def _root() -> Path:
    """Returns a root folder that holds everything of the present one, and can hold more."""
    root = Path("/mnt")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(root)], check=True)
    for entry in sorted(Path("/").iterdir()):
        there = root / entry.name
        if entry.is_symlink():
            there.symlink_to(entry.readlink())
        elif entry != root and entry.is_dir():
            there.mkdir()
            subprocess.run(["mount", "--rbind", str(entry), str(there)], check=True)
    shared = root / "dev" / "shm"
    if shared.is_dir():  # one of its own, so that what is left there is left by the command
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(shared)], check=True)
    return root


def _readers_begin_s(pid: int) -> float | None:
    """Returns the present time where a process of `pid` counts the counter's wraps, else None."""
    import psutil

    for process in psutil.Process(pid).children(recursive=True):
        try:
            if "multiprocessing.spawn" in " ".join(process.cmdline()):
                return time.monotonic()
        except psutil.Error:
            continue
    return None


def main() -> int:
    """Runs the command that follows the specification; returns its exit code."""
    zones = [_zone(values) for values in json.loads(sys.argv[1])]
    words = sys.argv[2:]
    folder = Path.cwd()
    root = _root()
    counters = list(_counters(root / RAPL, zones))
    for counter in counters:
        counter.make()
    start_s = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.chroot(root)
        os.chdir(folder)
        rights = [f"--inh-caps={READING_RIGHTS}", f"--bounding-set={READING_RIGHTS}"]
        os.execvp("setpriv", ["setpriv", *rights, *words])
    loses = any(counter.zone.lost_after_s is not None for counter in counters)
    begin_s: float | None = None
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        now_s = time.monotonic()
        if loses and begin_s is None:
            begin_s = _readers_begin_s(pid)
        for counter in counters:
            counter.write(now_s - start_s, None if begin_s is None else now_s - begin_s)
        time.sleep(INTERVAL_S)


if __name__ == "__main__":
    sys.exit(main())
