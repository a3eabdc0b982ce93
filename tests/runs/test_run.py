"""A run as it is made of its record and read again."""

from __future__ import annotations

import json
from dataclasses import replace

from greenexp.runs.run import from_json, of, to_json
from tests.support.builders import cpu_run, record, window


def test_host_is_that_of_the_record() -> None:
    result = cpu_run(window(), environment={"host": "node-7"})
    run = of(record(result, title="net"))
    assert run.host == "node-7"
    assert from_json(to_json(run)) == run
    assert of(record(cpu_run(window()), title="net")).host is None


def test_run_that_was_written_before_hosts_and_origins_is_read() -> None:
    run = of(record(cpu_run(window(), environment={"host": "node-7"}), title="net"))
    written = json.loads(to_json(run))
    del written["host"], written["origin"]
    assert from_json(json.dumps(written)) == replace(run, host=None)
