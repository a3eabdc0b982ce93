"""Credentials are used and never written."""

from __future__ import annotations

import os

import pytest

from greenexp.errors import BadInput
from greenexp.settings.build import build
from greenexp.settings.secrets import (
    MLFLOW_LOGIN,
    PASSWORD,
    is_secret,
    keep,
    keep_each,
    looked_up,
    whole,
    without_secrets,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSWORD, *MLFLOW_LOGIN):
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("uri", "kept", "password"),
    [
        (
            "postgresql://u:p%40ss@h:5432/db?sslmode=require",
            "postgresql://u@h:5432/db?sslmode=require",
            "p@ss",
        ),
        ("mysql+pymysql://u:secret@h/db", "mysql+pymysql://u@h/db", "secret"),
        ("postgresql://u@h/db?password=secret&x=1", "postgresql://u@h/db?x=1", "secret"),
    ],
)
def test_password_of_a_database_is_kept_in_the_environment(
    uri: str, kept: str, password: str
) -> None:
    assert keep(uri) == kept
    assert os.environ[PASSWORD] == password
    assert keep(kept) == kept
    opened = whole(kept)
    assert opened != kept
    assert without_secrets(opened).count(password) == 0


def test_database_is_opened_with_the_password_that_was_kept() -> None:
    assert whole(keep("postgresql://u:p%40ss@h/db")) == "postgresql://u:p%40ss@h/db"


def test_login_of_a_server_is_kept_where_mlflow_looks_for_it() -> None:
    assert keep("https://bob:hunt%20er@h:5000/sub") == "https://h:5000/sub"
    assert [os.environ[name] for name in MLFLOW_LOGIN] == ["bob", "hunt er"]
    assert whole("https://h:5000/sub") == "https://h:5000/sub"


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:///mlruns/mlflow.db",
        "http://127.0.0.1:5000",
        "postgresql://h/db",
        "postgresql://u@h/db",
        "databricks",
        "http://[::1",
        "",
    ],
)
def test_address_without_a_password_stays_as_it_is(uri: str) -> None:
    assert keep(uri) == uri
    assert whole(uri) == uri
    assert PASSWORD not in os.environ


@pytest.mark.parametrize(
    "text",
    [
        "can't reach postgresql://u:hunter2@h/db now",
        "http://u:hunter2@h: refused",
        "mysql://h/db?ssl_password=hunter2&x=1",
    ],
)
def test_messages_show_no_password(text: str) -> None:
    assert "hunter2" not in without_secrets(text)


def test_messages_of_libraries_show_no_password_that_was_kept() -> None:
    keep("postgresql://u:hunt%40er2@h/db")
    assert "hunt" not in without_secrets("authentication of u failed with hunt@er2 or hunt%40er2")


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        *((key, True) for key in ("token", "api_key", "apikey", "hub_token", "password", "SECRET")),
        *(
            (key, False)
            for key in ("tokenizer", "path", "tokens", "passwords_file", "key", "labels")
        ),
    ],
)
def test_secrets_are_told_by_the_names_of_their_keys(key: str, secret: bool) -> None:
    assert is_secret(key) is secret


def test_secret_is_looked_up_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    assert looked_up("model.token", "${oc.env:MY_TOKEN}") == "hunter2"
    assert looked_up("model.token", "${oc.env:ABSENT,else}") == "else"
    assert looked_up("model.token", "as it is") == "as it is"
    with pytest.raises(BadInput, match="needs the environment variable ABSENT"):
        looked_up("model.token", "${oc.env:ABSENT}")


class Keyed:
    """A choice with a secret."""

    def __init__(self, token: str, path: str) -> None:
        self.token = token
        self.path = path


def test_choice_is_built_with_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    target = f"{Keyed.__module__}.{Keyed.__name__}"
    choice = {"_target_": target, "token": "${oc.env:MY_TOKEN}", "path": "${oc.env:MY_TOKEN}"}
    made = build(choice, "model", ["tests"])
    assert (made.token, made.path) == ("hunter2", "${oc.env:MY_TOKEN}")


@pytest.mark.parametrize("value", [2024, 0, -7])
def test_number_is_taken_for_a_text_where_one_is_wanted(value: int) -> None:
    target = f"{Keyed.__module__}.{Keyed.__name__}"
    made = build({"_target_": target, "token": "", "path": value}, "model", ["tests"])
    assert made.path == str(value)


def test_addresses_of_one_login_are_kept_together() -> None:
    given = ["sqlite:///a.db", "http://bob:pw@h", "http://bob:pw@i", "postgresql://u:p2@j/db"]
    kept = ["sqlite:///a.db", "http://h", "http://i", "postgresql://u@j/db"]
    assert keep_each(given) == kept
    assert [os.environ[name] for name in (*MLFLOW_LOGIN, PASSWORD)] == ["bob", "pw", "p2"]
    assert keep_each(kept) == kept


@pytest.mark.parametrize(
    ("uris", "kind"),
    [
        (["http://bob:pw1@h", "http://bob:pw2@i"], "servers"),
        (["http://bob:pw1@h", "http://i"], "servers"),  # it would be sent to the other as well
        (["postgresql://u:pw1@h/db", "mysql://u@i/db?password=pw2"], "databases"),
    ],
)
def test_addresses_of_different_logins_are_refused_and_nothing_is_kept(
    uris: list[str], kind: str
) -> None:
    with pytest.raises(BadInput, match=f"tracking.uri holds {kind} with different logins") as error:
        keep_each(uris)
    assert "pw" not in str(error.value)
    assert not {PASSWORD, *MLFLOW_LOGIN} & set(os.environ)
