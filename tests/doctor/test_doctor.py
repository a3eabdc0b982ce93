"""What the doctor tells: verdicts on energy, absences with their cure, the machine, the tracker."""

from __future__ import annotations

import re
import socket
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console

from greenexp.doctor import checks
from greenexp.doctor.checks import Fact
from greenexp.doctor.device import Device, probing
from greenexp.doctor.screen import cures, screen
from greenexp.doctor.tracker import tracker
from greenexp.doctor.verdict import missing, verdicts
from greenexp.meters.cpu_estimate import CpuEstimate
from greenexp.meters.machine import Machine
from greenexp.meters.neighbours import Neighbours
from greenexp.meters.replay import Replay
from greenexp.protocols import Availability, Source
from greenexp.runs.energy import PREFERENCE
from greenexp.settings.doctor import Doctor

TIMEOUT_S = 0.3
HANG_S = 20.0
NO_RAPL = Availability("energy", "cpu", None, "no RAPL folder", "modprobe it")
NO_GPU = Availability("energy", "gpu", None, "no driver", "install it")
ESTIMATE = Availability("energy", "cpu", "model", "from utilization", "give the CPU's power")
PACKAGE = Availability("energy", "cpu:0", "counter", "RAPL, package-0")
DRAM = Availability("energy", "dram:0", "counter", "RAPL, dram")
COUNTED_GPU = Availability("energy", "gpu:0", "counter", "Zeus, V100")
SAMPLED_GPU = Availability("energy", "gpu:0", "sampled", "NVML, V100")
OTHER_GPU = Availability("energy", "gpu:1", "sampled", "NVML, P100")
SECOND_COUNTED = Availability("energy", "gpu:1", "counter", "Zeus, V100")
TEMPERATURE = Availability("temperature", "cpu", None, "no sensor")


def energy(*availability: Availability) -> dict[str, tuple[Source | None, str]]:
    return {verdict.kind: (verdict.source, verdict.text) for verdict in verdicts(availability)}


@pytest.mark.parametrize(
    ("availability", "kind", "source", "text"),
    [
        pytest.param(
            [NO_RAPL, ESTIMATE],
            "cpu",
            "model",
            "CPU energy is an estimate, not a measurement (no RAPL folder).",
            id="estimate and why",
        ),
        pytest.param(
            [PACKAGE, ESTIMATE],
            "cpu",
            "counter",
            "CPU energy is measured by a counter (cpu:0, RAPL, package-0).",
            id="counter before estimate",
        ),
        pytest.param(
            [NO_RAPL],
            "cpu",
            None,
            "CPU energy is absent (no RAPL folder).",
            id="absent",
        ),
        pytest.param(
            [ESTIMATE],
            "cpu",
            "model",
            "CPU energy is an estimate, not a measurement "
            "(no meter that reads it is switched on; meters.zeus reads counters).",
            id="counter's meter switched off",
        ),
        pytest.param(
            [PACKAGE, DRAM],
            "dram",
            "counter",
            "DRAM energy is measured by a counter (dram:0, RAPL, dram).",
            id="memory too",
        ),
        pytest.param(
            [SAMPLED_GPU, COUNTED_GPU],
            "gpu",
            "counter",
            "GPU energy is measured by a counter (gpu:0, Zeus, V100).",
            id="counter before samples",
        ),
        pytest.param(
            [SAMPLED_GPU, SECOND_COUNTED],
            "gpu",
            "sampled",
            "GPU energy is added up from power samples (gpu:0, NVML, V100).",
            id="the GPU that runs use counts",
        ),
        pytest.param([NO_GPU], "gpu", None, "GPU energy is absent (no driver).", id="no GPU"),
    ],
)
def test_verdict_names_the_most_direct_source_and_says_why_it_is_no_counter(
    availability: list[Availability], kind: str, source: Source | None, text: str
) -> None:
    assert energy(*availability)[kind] == (source, text)


def test_verdicts_begin_with_cpu_and_gpu_and_name_other_kinds_only_where_they_are() -> None:
    assert list(energy()) == ["cpu", "gpu"]
    assert list(energy(DRAM, PACKAGE)) == ["cpu", "gpu", "dram"]


def test_quantity_that_is_no_energy_makes_no_verdict() -> None:
    sampled = Availability("utilization", "cpu", "sampled", "psutil")
    assert energy(sampled)["cpu"][0] is None


@pytest.mark.parametrize(
    ("required", "availability"),
    [
        pytest.param([], [NO_RAPL, NO_GPU], id="nothing required"),
        pytest.param(["cpu:counter", "dram:counter"], [PACKAGE, DRAM], id="counters"),
        pytest.param(["gpu:sampled"], [COUNTED_GPU, SAMPLED_GPU], id="beside the counter"),
        pytest.param(["cpu:model"], [NO_RAPL, ESTIMATE], id="estimate"),
    ],
)
def test_required_source_that_is_there_is_not_missing(
    required: list[str], availability: list[Availability]
) -> None:
    assert missing(required, availability) == []


@pytest.mark.parametrize(
    ("requirement", "availability", "line"),
    [
        pytest.param("cpu:counter", [NO_RAPL, ESTIMATE], "no RAPL folder; modprobe it", id="cure"),
        pytest.param("gpu:counter", [NO_GPU], "no driver; install it", id="no GPU"),
        pytest.param(
            "gpu:counter",
            [SAMPLED_GPU, SECOND_COUNTED],
            "its source here is sampled",
            id="only on a GPU that runs don't use",
        ),
        pytest.param(
            "dram:counter",
            [PACKAGE],
            "no meter that reads it is switched on; meters.zeus reads counters",
            id="nothing is told",
        ),
    ],
)
def test_missing_source_says_why_and_how_to_get_it(
    requirement: str, availability: list[Availability], line: str
) -> None:
    expected = f"doctor.require={requirement} is not there: {line}"
    assert missing([requirement], availability) == [expected]


def test_requirements_are_the_sources_of_energy(refusal: Callable[..., str]) -> None:
    assert get_args(Source) == PREFERENCE
    assert Doctor(require=["cpu:counter", "gpu:sampled", "dram:model"]).require
    for entry in ("cpu:count", "counter", "cpu", "cpu:0:counter", ""):
        message = refusal(lambda entry=entry: Doctor(require=[entry]))
        assert message.startswith(f"doctor.require={entry} is unknown; allowed: cpu:counter, ")
    assert "doctor.timeout_s=0" in refusal(lambda: Doctor(timeout_s=0))


def lines(
    availability: Sequence[Availability], facts: Sequence[Fact] = (), width: int = 100
) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        for renderable in screen(verdicts(availability), availability, facts):
            console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_screen_shows_verdict_then_meters_then_cures_then_machine() -> None:
    facts = [Fact("tracker", "can't be reached", there=False, cure="start the server")]
    shown = lines([NO_RAPL, ESTIMATE, NO_GPU, TEMPERATURE], facts)
    assert shown == [
        "CPU energy is an estimate, not a measurement (no RAPL folder).",
        "GPU energy is absent (no driver).",
        "",
        "component  quantity     source    instrument, or why it is absent",
        "cpu        energy       absent    no RAPL folder",
        "cpu        energy       estimate  from utilization",
        "gpu        energy       absent    no driver",
        "cpu        temperature  absent    no sensor",
        "",
        "How to get more",
        "cpu energy  modprobe it",
        "cpu energy  give the CPU's power",
        "gpu energy  install it",
        "tracker     start the server",
        "",
        "Machine",
        "tracker  can't be reached",
    ]


def test_quantities_of_one_instrument_share_a_line() -> None:
    clock = Availability("clock", "gpu:1", "sampled", OTHER_GPU.detail)
    shown = lines([OTHER_GPU, clock])
    assert any(re.fullmatch(r"gpu:1 +energy, clock +sampled +NVML, P100", line) for line in shown)


def test_text_in_brackets_is_no_markup() -> None:
    cure = "pip install 'greenexp[onnx]'"
    shown = lines([], [Fact("no engine", "absent: [onnx]", there=False, cure=cure)])
    assert f"no engine  {cure}" in shown
    assert "no engine  absent: [onnx]" in shown


def test_narrow_screen_cuts_no_command_and_no_path() -> None:
    word = "-v/sys/class/powercap/intel-rapl:/zeus_sys/class/powercap/intel-rapl:ro"
    absent = Availability("energy", "cpu", None, word, f"run {word}")
    folded = re.sub(r"\s", "", "".join(lines([absent], [Fact("cure", "x", cure=word)], width=60)))
    assert folded.count(word) == 4  # verdict, table, two cures


def test_energy_that_a_counter_tells_needs_no_cure() -> None:
    availability = [PACKAGE, ESTIMATE, NO_GPU]
    assert cures(verdicts(availability), availability, []) == [("gpu energy", NO_GPU.cure)]


def test_cure_is_told_once() -> None:
    twice = [NO_RAPL, NO_RAPL, NO_GPU]
    names = [name for name, _ in cures(verdicts(twice), twice, [])]
    assert names == ["cpu energy", "gpu energy"]


def test_this_machine_fits_one_screen() -> None:
    meters = [Machine(0.2), Neighbours(), CpuEstimate(0.2, 0.69, 4.063, relative_error=0.5)]
    availability = [NO_RAPL, NO_GPU, *checks.availability_of(meters)]
    facts = checks.machine(Path("multirun"), counted=False)
    assert len(lines(availability, facts)) <= 45


class Silent:
    """A user's meter without a word on what is there."""


def test_meter_that_says_nothing_has_no_line() -> None:
    meters: list[Any] = [Silent(), Machine(0.2)]
    told = checks.availability_of(meters)
    assert {entry.quantity for entry in told} == {"utilization", "memory", "temperature"}


def test_estimate_names_its_power_and_whose_figures_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 8)
    (by_thread,) = CpuEstimate(0.2, 0.5, 3.0, relative_error=0.5).availability()
    assert (by_thread.component, by_thread.quantity, by_thread.source) == ("cpu", "energy", "model")
    assert "4.0 W idle to 24.0 W at full load" in by_thread.detail
    assert "default figures per thread, times 8, may be off by 50%" in by_thread.detail
    assert "hardware.power.cpu_rated_w" in by_thread.cure
    (by_preset,) = CpuEstimate(0.2, 0.5, 3.0, idle_w=40.0, rated_w=140.0).availability()
    assert "40.0 W idle to 140.0 W at full load: the hardware preset's figures" in by_preset.detail
    assert by_preset.cure == ""


@pytest.mark.parametrize(
    ("celsius", "source"), [pytest.param(50.0, "sampled"), pytest.param(None, None)]
)
def test_machine_tells_whether_a_sensor_is(
    monkeypatch: pytest.MonkeyPatch, celsius: float | None, source: Source | None
) -> None:
    monkeypatch.setattr("greenexp.meters.machine._temperature_c", lambda: celsius)
    sources = {entry.quantity: entry.source for entry in Machine(0.2).availability()}
    assert sources == {"utilization": "sampled", "memory": "sampled", "temperature": source}


def test_neighbours_tell_whether_throttling_is_counted(tmp_path: Path) -> None:
    def throttling() -> Source | None:
        (source,) = (
            entry.source
            for entry in Neighbours(str(tmp_path)).availability()
            if entry.quantity == "throttling"
        )
        return source

    assert throttling() is None
    counts = tmp_path / "cpu0" / "thermal_throttle" / "core_throttle_count"
    counts.parent.mkdir(parents=True)
    counts.write_text("3\n", encoding="ascii")
    assert throttling() == "sampled"


def test_replay_tells_the_energy_of_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("t_s,gpu:0 power_w,cpu counter_j,gpu:0 clock_mhz\n0,1,1,1\n1,1,2,1\n")
    told = Replay(str(path), kind="sampled").availability()
    assert [(entry.component, entry.source) for entry in told] == [
        ("gpu:0", "sampled"),
        ("cpu", "counter"),
    ]
    assert all("replayed" in entry.detail for entry in told)


def planted(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("files", "counted", "remark", "cured"),
    [
        pytest.param({}, False, None, False, id="bare metal"),
        pytest.param({".dockerenv": ""}, False, "container", True, id="docker"),
        pytest.param({".dockerenv": ""}, True, "container", False, id="docker with a counter"),
        pytest.param({"run/.containerenv": ""}, False, "container", True, id="podman"),
        pytest.param({"proc/1/cgroup": "0::/kubepods/x\n"}, False, "container", True, id="pod"),
        pytest.param(
            {"proc/cpuinfo": "flags\t\t: fpu hypervisor lm\n"},
            False,
            "virtual machine",
            False,
            id="virtual machine",
        ),
        pytest.param(
            {"proc/version": "Linux 5.15-microsoft-standard-WSL2", "proc/cpuinfo": "hypervisor"},
            False,
            "WSL",
            False,
            id="WSL",
        ),
    ],
)
def test_surroundings_are_named(
    tmp_path: Path, files: dict[str, str], counted: bool, remark: str | None, cured: bool
) -> None:
    fact = checks.surroundings(planted(tmp_path, files), counted=counted)
    remarks = [name for name in ("container", "virtual machine", "WSL") if name in fact.text]
    assert remarks == [remark] * (remark is not None)
    assert ("/zeus_sys/class/powercap/intel-rapl" in fact.cure) == cured


@pytest.mark.parametrize(
    ("limit", "remark"),
    [
        pytest.param(f"{2**30}\n", "this container may use 1.0 GiB", id="limited"),
        pytest.param("max\n", None, id="unlimited"),
        pytest.param(f"{2**62}\n", None, id="more than there is"),
    ],
)
def test_memory_tells_the_limit_of_a_container(
    tmp_path: Path, limit: str, remark: str | None
) -> None:
    text = checks.memory(planted(tmp_path, {"sys/fs/cgroup/memory.max": limit})).text
    assert re.match(r"\d+\.\d of \d+\.\d GiB free", text)
    assert ("this container" in text) == (remark is not None)
    assert remark is None or remark in text


def test_disk_is_that_of_the_nearest_folder_and_makes_none(tmp_path: Path) -> None:
    journal = tmp_path / "not" / "there"
    fact = checks.disk(journal)
    assert f"journal {journal} " in fact.text
    assert f"temporary folder {tempfile.gettempdir()} " in fact.text
    assert list(tmp_path.iterdir()) == []


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return str(path)


def test_compiler_is_the_one_that_inductor_takes(tmp_path: Path) -> None:
    given = script(tmp_path / "own++", "echo 'own++ 9.9'; echo more")
    fact = checks.compiler({"CXX": given}, sys.platform)
    assert fact.there
    assert fact.text == f"{given}: own++ 9.9"


@pytest.mark.parametrize(
    ("system", "cure"),
    [pytest.param("linux", "install g++"), pytest.param("darwin", "xcode-select --install")],
)
def test_compiler_that_does_not_run_is_absent(tmp_path: Path, system: str, cure: str) -> None:
    for name in (str(tmp_path / "none"), script(tmp_path / "broken", "exit 3")):
        fact = checks.compiler({"CXX": name}, system)
        assert not fact.there
        assert fact.text.startswith("absent: ")
        assert cure in fact.cure


def test_engine_that_is_absent_names_the_extra_that_installs_it() -> None:
    there, absent = checks.engines({"torch": "", "no-such-package": "onnx", "neither": "onnx"})
    assert re.fullmatch(r"torch \d+\..*", there.text)
    assert (absent.there, absent.text) == (False, "absent: no-such-package, neither")
    assert absent.cure == "pip install 'greenexp[onnx]'"


@pytest.mark.parametrize(
    ("device", "text", "there"),
    [
        pytest.param(Device("auto", "cpu"), "cpu, as device=auto: torch sees no CUDA", True),
        pytest.param(Device("auto", "cuda"), "cuda, as device=auto", True),
        pytest.param(Device("cpu", "cpu"), "cpu", True),
        pytest.param(Device("cuda", "cuda", "no CUDA device"), "cuda: absent", False),
    ],
)
def test_device_is_told(device: Device, text: str, there: bool) -> None:
    assert device.fact().text.startswith(text)
    assert device.fact().there == there


def test_device_that_can_not_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenexp.doctor.device.PROBE", "raise SystemExit('the driver is broken')")
    with probing("auto") as probe:
        device = probe.device()
    assert device == Device(
        "auto",
        None,
        "device=auto: what there is can't be told, the driver is broken; give device=cpu",
    )


@contextmanager
def server(status: int, requests: list[tuple[str, str | None]]) -> Iterator[str]:
    """Yields the address of a server on loopback that answers each request alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=httpd.serve_forever)
    serving.start()
    try:
        yield f"127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        serving.join(HANG_S)


def test_server_that_is_up_is_reachable_and_gets_its_login() -> None:
    requests: list[tuple[str, str | None]] = []
    with server(200, requests) as place:
        fact = tracker(f"http://{place}/", "mine", HANG_S)
        with_login = tracker(f"http://bob:hunter2@{place}/sub", "mine", HANG_S)
    assert fact == Fact("tracker", f"experiment mine at http://{place}/: reachable")
    assert with_login.text == f"experiment mine at http://***@{place}/sub: reachable"
    assert requests == [("/health", None), ("/sub/health", "Basic Ym9iOmh1bnRlcjI=")]


def test_server_that_answers_an_error_is_not_reachable() -> None:
    with server(500, []) as place:
        fact = tracker(f"http://bob:hunter2@{place}", "mine", HANG_S)
    assert not fact.there
    assert fact.text.endswith("can't be reached, the server answers 500 to /health")
    assert "tracking.uri" in fact.cure
    assert "hunter2" not in fact.text + fact.cure


def test_server_that_is_silent_is_waited_for_no_longer_than_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fact = tracker(f"http://127.0.0.1:{listening.getsockname()[1]}", "mine", TIMEOUT_S)
    assert not fact.there
    assert re.search(r"no answer within 0\.3 s|timed out", fact.text)


def test_port_that_nobody_listens_on_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    fact = tracker(f"http://127.0.0.1:{port}", "mine", HANG_S)
    assert not fact.there
    assert "connection refused" in fact.text


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://bob:hunter2@[::bad/", id="no address"),
        pytest.param("http://bob:hunter2@x:port", id="no port"),
        pytest.param("http://bob:hun/ter2@127.0.0.1:1", id="slash in it"),
        pytest.param("mysql+nodriver://bob:hunter2@127.0.0.1/db", id="no driver"),
        pytest.param("mysql+pymysql://bob:hunter2@127.0.0.1:1/db?ssl_password=ter2", id="query"),
        pytest.param("postgresql://bob:hunter2@[::1/db", id="no database address"),
        pytest.param("databricks://hunter2@profile", id="another kind"),
    ],
)
def test_password_is_never_shown(uri: str) -> None:
    fact = tracker(uri, "mine", TIMEOUT_S)
    assert "***@" in fact.text
    assert not any(secret in f"{fact.text} {fact.cure}" for secret in ("hunter2", "ter2", "hun/"))


def sqlite_store(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE experiments (name TEXT)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "state", "there"),
    [
        pytest.param(lambda path: None, "not there yet, the first run makes it", True, id="new"),
        pytest.param(sqlite_store, "reachable", True, id="there"),
        pytest.param(lambda path: path.write_text("x" * 99), "no SQLite database", False, id="bad"),
        pytest.param(lambda path: path.mkdir(), "it is no file", False, id="folder"),
    ],
)
def test_sqlite_store_is_looked_at_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], object], state: str, there: bool
) -> None:
    path = tmp_path / "mlflow.db"
    make(path)
    before = list(tmp_path.iterdir())
    fact = tracker(f"sqlite:///{path}", "mine", HANG_S)
    assert fact.text.endswith(state)
    assert fact.there == there
    assert list(tmp_path.iterdir()) == before


def test_sqlite_store_below_a_file_is_not_creatable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fact = tracker(f"sqlite:///{tmp_path}/file/mlflow.db", "mine", HANG_S)
    assert not fact.there
    assert "takes no new file" in fact.text


def test_store_of_another_kind_is_said_not_to_be_checked() -> None:
    fact = tracker("databricks", "mine", HANG_S)
    assert fact.text == "experiment mine at databricks: not checked, an address of another kind"
