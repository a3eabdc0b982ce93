"""PostgreSQL on loopback, as Debian installs it, started for a test."""

from __future__ import annotations

import gc
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS_S = 60.0
USER, PASSWORD, DATABASE = "greenexp", "not-a-secret", "greenexp"
ACCOUNT = "nobody"  # PostgreSQL refuses to run as root


def programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs; None where it is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    program = debian[-1] if debian else shutil.which("postgres")
    return None if program is None else Path(program).parent


@contextmanager
def postgresql() -> Iterator[str]:
    """Starts a server of an empty database; yields the database's address."""
    with tempfile.TemporaryDirectory(prefix="greenexp-pg-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)  # another account works in it
        yield from _served(Path(folder))


def _served(folder: Path) -> Iterator[str]:
    binaries = programs()
    assert binaries is not None
    data, password = folder / "data", folder / "password"
    password.write_text(PASSWORD)
    account = pwd.getpwnam(ACCOUNT)
    own = {"user": account.pw_uid, "group": account.pw_gid} if os.getuid() == 0 else {}
    if own:
        for path in (folder, password):
            os.chown(path, account.pw_uid, account.pw_gid)
    secured = [f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256"]
    subprocess.run(
        [binaries / "initdb", f"--pgdata={data}", "--encoding=UTF8", "--no-sync", *secured],
        check=True,
        capture_output=True,
        cwd=folder,
        **own,
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-p", str(port), *options, "-c", "fsync=off"],
            stdout=log,
            stderr=log,
            cwd=folder,
            **own,
        )
    try:
        _made(port)
        yield f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"
    finally:
        gc.collect()  # of connections that were left open this test hears, and no later one
        server.send_signal(signal.SIGINT)  # which waits for no client
        server.wait(STARTS_S)


def _made(port: int) -> None:
    """Makes the database as soon as the server answers."""
    import psycopg

    limit_s = time.monotonic() + STARTS_S
    while True:
        try:
            connection = psycopg.connect(
                host="127.0.0.1",
                port=port,
                user=USER,
                password=PASSWORD,
                dbname="postgres",
                autocommit=True,
            )
            break
        except psycopg.OperationalError:
            if time.monotonic() > limit_s:
                raise
            time.sleep(0.1)
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE greenexp")
    connection.close()
