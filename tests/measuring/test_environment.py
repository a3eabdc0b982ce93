"""A run says on what it ran, and of which commit."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from greenexp.measuring.environment import environment
from greenexp.runs.result import Result
from greenexp.runs.run import of
from greenexp.tracking.fields import tags
from tests.support.builders import record

ROOT = Path(__file__).parents[2]


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_run_of_a_checkout_names_its_commit_branch_and_user() -> None:
    facts = environment("cpu")
    assert facts["git_commit"] == git("rev-parse", "HEAD")
    assert facts["git_dirty"] == bool(git("status", "--porcelain"))
    assert facts.get("git_branch", "") == git("branch", "--show-current")
    assert facts["user"] == getpass.getuser()
    told = tags(*both(Result("ok", environment=facts)))
    assert told["mlflow.user"] == facts["user"]
    assert told["mlflow.source.git.commit"] == facts["git_commit"]
    assert told.get("mlflow.source.git.branch") == facts.get("git_branch")


def both(result: Result) -> tuple:
    made = record(result, title="digits_vit · baseline")
    return made, of(made)


def test_login_in_the_repository_s_address_is_not_told(monkeypatch) -> None:
    address = "https://somebody:secret@example.org/greenexp.git"
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "remote.origin.url")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", address)
    assert environment("cpu")["git_repository"] == "https://***@example.org/greenexp.git"
