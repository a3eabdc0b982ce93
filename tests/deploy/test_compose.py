"""The containers of a team's tracking server: pinned, on loopback, without a default password."""

from __future__ import annotations

import configparser
import re
from typing import Any

import pytest
import yaml

from tests.support.command import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if "==" in line
)
SECRET = re.compile(r"PASSWORD$|SECRET_KEY$")


def test_server_alone_is_published_and_on_loopback_alone() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert ports == {"database": [], "server": ["127.0.0.1:${PORT:-5000}:5000"]}
    assert not any("network_mode" in service for service in SERVICES.values())


def test_mlflow_is_the_version_that_the_tests_run_with() -> None:
    assert SERVICES["server"]["image"] == f"greenexp-tracker:{PINS['mlflow']}"
    assert "--constraint /etc/mlflow/constraints.txt" in DOCKERFILE
    named = set(re.findall(r"'([\w-]+)\[", DOCKERFILE))
    assert named == {"mlflow", "psycopg"}
    assert {*named, "Flask-WTF", "psycopg-binary"} <= set(PINS)


@pytest.mark.parametrize(
    "image",
    [SERVICES["database"]["image"], *re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)],
)
def test_images_are_pinned(image: str) -> None:
    assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+", image)


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_from_the_environment_or_nothing_starts(name: str) -> None:
    secrets = {
        key: value for key, value in SERVICES[name]["environment"].items() if SECRET.search(key)
    }
    assert secrets
    for value in secrets.values():
        assert re.fullmatch(r"\$\{MLFLOW_\w+:\?export it\}", value)


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_data_outlive_the_containers() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service["volumes"]]
    assert {mount.partition(":")[0] for mount in mounts} == set(COMPOSE["volumes"])
    assert "--artifacts-destination=/srv/artifacts" in SERVICES["server"]["command"]
    assert "artifacts:/srv/artifacts" in mounts


def test_what_the_image_copies_is_let_through() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = re.findall(r"^COPY (\S+)", DOCKERFILE, re.MULTILINE)
    assert [line[1:] for line in ignored if line.startswith("!")] == copied
    assert "*" in ignored
    assert all((ROOT / path).is_file() for path in copied)


def test_accounts_have_no_password_of_the_file() -> None:
    settings = configparser.ConfigParser()
    settings.read(DEPLOY / "basic_auth.ini", encoding="utf-8")
    assert "admin_password" not in settings["mlflow"]
    assert settings["mlflow"]["default_permission"] == "EDIT"
    assert settings["mlflow"]["database_uri"] == "postgresql+psycopg://"
