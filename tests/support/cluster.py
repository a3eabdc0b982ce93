"""A cluster of one node on loopback: Debian's slurm and munge, started for a test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

STARTS_S = 60.0
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")


def is_installed() -> bool:
    """Tells whether SLURM's programs are there."""
    return all(shutil.which(name, path=path()) for name in PROGRAMS)


def path() -> str:
    return f"{os.environ['PATH']}{os.pathsep}/usr/sbin"


@contextmanager
def cluster(folder: Path, cpus: int) -> Iterator[Mapping[str, str]]:
    """Starts a cluster; yields the environment that its commands need.

    Args:
        folder: for its files, of a short path: sockets lie in it.
        cpus: of its node.
    """
    folder.chmod(0o755)
    configuration = folder / "slurm.conf"
    configuration.write_text(_configuration(folder, cpus))
    environment = {"SLURM_CONF": str(configuration), "PATH": path()}
    with ExitStack() as running:
        running.enter_context(_munge(folder))
        for name in ("slurmctld", "slurmd"):
            running.enter_context(_daemon([name, "-D"], folder / f"{name}.out", environment))
        _wait_for_node(environment, folder)
        yield environment


def _configuration(folder: Path, cpus: int) -> str:
    host = socket.gethostname()
    return "\n".join(
        [
            "ClusterName=loopback",
            f"SlurmctldHost={host}(127.0.0.1)",
            "SlurmUser=root",
            "AuthType=auth/munge",
            f"AuthInfo=socket={folder}/munge.socket,cred_expire=10",  # a requeued job waits so long
            "CredType=cred/munge",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "MpiDefault=none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_CPU",
            f"SlurmctldPort={_free_port()}",
            f"SlurmdPort={_free_port()}",
            f"StateSaveLocation={folder}/state",
            f"SlurmdSpoolDir={folder}/spool",
            f"SlurmctldPidFile={folder}/slurmctld.pid",
            f"SlurmdPidFile={folder}/slurmd.pid",
            f"SlurmctldLogFile={folder}/slurmctld.log",
            f"SlurmdLogFile={folder}/slurmd.log",
            "MailProg=/bin/true",
            "ReturnToService=2",
            "KillWait=2",
            "SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0",
            f"NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN",
            f"PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP",
            "",
        ]
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _munge(folder: Path) -> Iterator[None]:
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o400)
    command = ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key"]
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("log", "pid", "seed")]
    command += [f"--socket={folder}/munge.socket", *files]
    with _daemon(command, folder / "munged.out", {"PATH": path()}):
        _until((folder / "munge.socket").exists, "munged", folder)
        yield


@contextmanager
def _daemon(command: list[str], output: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with output.open("wb") as told:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=told, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_node(environment: Mapping[str, str], folder: Path) -> None:
    def is_idle() -> bool:
        told = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return told.stdout.strip() == "idle"

    _until(is_idle, "slurmd", folder)


def _until(is_there: Callable[[], bool], name: str, folder: Path) -> None:
    limit_s = time.monotonic() + STARTS_S
    while not is_there():
        if time.monotonic() > limit_s:
            told = [path.read_text(errors="replace")[-2000:] for path in folder.glob("*.out")]
            raise RuntimeError(f"{name} does not start: {told}")
        time.sleep(0.1)
