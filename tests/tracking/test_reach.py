"""A server is asked as MLflow's client asks it: with the same certificates and the same login."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from greenexp.errors import BadInput, Unreachable
from greenexp.settings.sweep import Tracking
from greenexp.tracking.reach import ask_server
from greenexp.tracking.store import probe
from tests.support.certificates import https_server, self_signed

TIMEOUT_S = 20.0
SERVER, INSECURE, CLIENT = (
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
)
OTHERS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (SERVER, INSECURE, CLIENT, *OTHERS, *LOGIN):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


def mlflow_reaches(uri: str) -> bool:
    """Tells whether MLflow's own client takes an answer of the server."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        http_request(get_default_host_creds(uri), "/health", "GET", max_retries=0, timeout=9)
    except (MlflowException, OSError):
        return False
    return True


@pytest.mark.parametrize(
    ("settings", "reached"),
    [
        pytest.param({}, False, id="none"),
        pytest.param({SERVER: "certificate.pem"}, True, id="its certificate"),
        pytest.param({SERVER: "other.pem"}, False, id="another certificate"),
        pytest.param({SERVER: "nowhere.pem"}, False, id="no file"),
        pytest.param({INSECURE: "true"}, True, id="not verified"),
        pytest.param({INSECURE: "1"}, True, id="not verified, as a number"),
        pytest.param({INSECURE: "false"}, False, id="verified"),
        pytest.param({"REQUESTS_CA_BUNDLE": "certificate.pem"}, True, id="of all of requests"),
        pytest.param({"SSL_CERT_FILE": "certificate.pem"}, False, id="of OpenSSL alone"),
    ],
)
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # MLflow's client, asked here
def test_certificates_are_those_of_mlflows_client(
    settings: Mapping[str, str],
    reached: bool,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    self_signed(certificate.parent, "other")
    for name, value in settings.items():
        file = certificate.with_name(value)
        monkeypatch.setenv(name, str(file) if value.endswith(".pem") else value)
    with https_server(certificate) as uri:
        assert mlflow_reaches(uri) == reached
        if reached:
            ask_server(uri, TIMEOUT_S)
        else:
            with pytest.raises(BadInput):
                ask_server(uri, TIMEOUT_S)


def test_unknown_certificate_is_told_with_the_way_to_trust_it(certificate: Path) -> None:
    with https_server(certificate) as uri, pytest.raises(BadInput) as refused:
        probe(Tracking(uri))
    assert str(refused.value) == (
        f"tracking.uri={uri} can't be used: its certificate is not trusted (self-signed "
        "certificate); name the file of the one to trust in MLFLOW_TRACKING_SERVER_CERT_PATH, or "
        "give another address"
    )


def test_certificate_of_another_name_is_told(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVER, str(certificate))
    with (
        https_server(certificate) as uri,
        pytest.raises(BadInput, match=r"not trusted .*localhost"),
    ):
        ask_server(uri.replace("127.0.0.1", "localhost"), TIMEOUT_S)


@pytest.mark.parametrize("name", [SERVER, CLIENT])
def test_file_of_a_certificate_that_is_none_is_named(
    name: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with https_server(certificate) as uri:
        monkeypatch.setenv(name, "/nowhere/ca.pem")
        with pytest.raises(BadInput, match=f"{name}=/nowhere/ca.pem is no file"):
            ask_server(uri, TIMEOUT_S)
        empty = certificate.with_name("empty.pem")
        empty.write_text("")
        monkeypatch.setenv(name, str(empty))
        with pytest.raises(BadInput, match=f"{name}={empty} can't be read as a certificate"):
            ask_server(uri, TIMEOUT_S)


def test_client_shows_the_certificate_that_mlflow_shows(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = self_signed(certificate.parent, "client")
    monkeypatch.setenv(SERVER, str(certificate))
    with https_server(certificate, clients=own) as uri:
        assert not mlflow_reaches(uri)
        with pytest.raises(Unreachable, match=f"name its file in {CLIENT}"):
            ask_server(uri, TIMEOUT_S)
        monkeypatch.setenv(CLIENT, str(own))
        assert mlflow_reaches(uri)
        ask_server(uri, TIMEOUT_S)


@pytest.mark.parametrize(
    ("values", "login"),
    [
        pytest.param(("", "", ""), None, id="none"),
        pytest.param(("bob", "hunter2", ""), "Basic Ym9iOmh1bnRlcjI=", id="password"),
        pytest.param(("", "", "t0ken"), "Bearer t0ken", id="token"),
        pytest.param(("bob", "hunter2", "t0ken"), "Basic Ym9iOmh1bnRlcjI=", id="both"),
        pytest.param(("bob", "", "t0ken"), "Bearer t0ken", id="no password"),
    ],
)
def test_login_is_that_of_mlflows_client(
    values: tuple[str, str, str],
    login: str | None,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in zip(LOGIN, values, strict=True):
        if value:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv(SERVER, str(certificate))
    logins: list[str | None] = []
    with https_server(certificate, logins=logins) as uri:
        ask_server(uri, TIMEOUT_S)
        assert mlflow_reaches(uri)
    assert logins == [login, login]


def test_server_that_asks_for_a_login_is_told_with_the_way_to_give_it(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVER, str(certificate))
    with https_server(certificate, status=401) as uri, pytest.raises(BadInput) as refused:
        probe(Tracking(uri))
    assert "login of an account; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in str(
        refused.value
    )
