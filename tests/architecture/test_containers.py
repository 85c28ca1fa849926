"""The container files fit their schemas and start only things that exist."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
import yaml
from django.core.management import get_commands
from pydantic import BaseModel, ConfigDict

from myloware.embedded import programs
from myloware.embedded.programs import Plan

ROOT = Path(__file__).parents[2]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def fly() -> dict[str, Any]:
    return tomllib.loads((ROOT / "fly.toml").read_text())


class Strict(BaseModel):
    """Keys that Fly's configuration reference names; anything else is a typing error."""

    model_config = ConfigDict(extra="forbid")


class Check(Strict):
    method: Literal["GET", "HEAD"]
    path: str
    interval: str
    timeout: str
    grace_period: str


class HttpService(Strict):
    internal_port: int
    force_https: bool
    auto_stop_machines: Literal["off", "stop", "suspend"]
    auto_start_machines: bool
    min_machines_running: int
    processes: list[str]
    checks: list[Check]


class Build(Strict):
    dockerfile: str


class Deploy(Strict):
    release_command: str
    strategy: Literal["rolling", "immediate", "canary", "bluegreen"]


class Metrics(Strict):
    port: int
    path: str
    processes: list[str]


class Machine(Strict):
    size: str
    memory: str
    processes: list[str] | None = None


class Fly(Strict):
    """https://fly.io/docs/reference/configuration/"""

    app: str
    primary_region: str
    kill_signal: Literal["SIGTERM", "SIGINT"]
    kill_timeout: str
    build: Build
    deploy: Deploy
    env: dict[str, str]
    processes: dict[str, str]
    http_service: HttpService
    metrics: Metrics
    vm: list[Machine]


def test_compose_fits_the_compose_specification() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validate(compose(), schema)


def test_fly_fits_its_reference() -> None:
    config = Fly.model_validate(fly())
    assert set(config.http_service.processes) <= set(config.processes)
    assert (ROOT / config.build.dockerfile).is_file()


def test_the_dockerfile_uses_known_instructions_and_existing_files() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    known = {"FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {line.split()[0] for line in lines} <= known
    for line in lines:
        if line.startswith("COPY") and "--from" not in line:
            assert (ROOT / line.split()[1]).exists(), line


@pytest.mark.parametrize("service", ["web", "worker", "renderer", "beat", "flower"])
def test_compose_and_fly_run_the_same_processes(service: str) -> None:
    assert service in compose()["services"]
    assert service in fly()["processes"]


def test_the_same_workers_take_the_same_queues_everywhere(tmp_path: Path) -> None:
    plan = Plan(
        base_dir=ROOT,
        data_dir=tmp_path,
        port=1,
        flower_port=2,
        simulators_port=None,
        workers=2,
        renders_here=True,
        broker_url="",
        admin_password="",
    )
    commands = (
        [" ".join(each.argv) for each in programs.processes(plan)],
        [" ".join(each.get("command", [])) for each in compose()["services"].values()],
        fly()["processes"].values(),
    )
    for found in commands:
        workers = re.findall(r"-A (\S+) worker -Q (\S+)", "\n".join(found))
        assert workers == [("myloware", "urgent,runs,media"), ("myloware.renderer", "renders")]


def test_every_management_command_they_call_exists() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "fly.toml").read_text()
    called = set(re.findall(r"manage\.py,? (\w+)", text))
    assert called >= {"migrate", "load_projects", "kb_ingest", "simulators"}
    assert called <= set(get_commands())
