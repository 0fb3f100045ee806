"""What a run loads: Python's start-up and the driver are most of its time, so nothing is loaded that is not used."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any

import pytest

from support.process import CheckedAbaco, StoredJob
from tools.demo.abaco import ROOT

GATEWAY = {"uvicorn", "starlette", "fastapi", "pydantic", "prometheus_client", "jwt", "cryptography", "hashids"}
HEAVY = {"jsonschema", "requests", "urllib3", "agavepy", "http.client", "pipelinejobs.client"} | GATEWAY


def imported(abaco: CheckedAbaco, body: Any, parameters: Mapping[str, str] | None = None) -> tuple[set[str], int]:
    """The modules that a run loads, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-Es", "-X", "importtime", str(ROOT / "reactor.py")],
        env=abaco.variables(body, parameters or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}, done.returncode


def test_an_applied_update_loads_no_http_client_and_no_schema(abaco: CheckedAbaco, job: StoredJob) -> None:
    modules, exit_code = imported(abaco, job.event("update"))
    assert exit_code == 0
    assert "pymongo" in modules
    assert modules & HEAVY == set()


def test_a_run_makes_no_dataclasses_of_ours(abaco: CheckedAbaco, job: StoredJob) -> None:
    modules, _ = imported(abaco, job.event("update"))
    ours = {name for name in modules if name.startswith(("pipelinejobs.", "fsm."))}
    assert len(ours) > 30
    classes = {cls for name in ours for cls in vars(import_module(name)).values() if isinstance(cls, type)}
    assert [
        cls for cls in classes if cls.__module__ in ours and is_dataclass(cls)
    ] == []  # see pipelinejobs.util.record


@pytest.mark.parametrize("body", ["hello", "", "{", "[1]", "{'uuid': "])
def test_what_is_not_a_message_loads_no_driver(abaco: CheckedAbaco, body: str) -> None:
    modules, exit_code = imported(abaco, body)
    assert exit_code == 65
    assert not modules & (HEAVY | {"pymongo", "bson", "transitions"})


def test_a_wrong_message_that_is_json_loads_no_driver(abaco: CheckedAbaco) -> None:
    modules, exit_code = imported(abaco, {"uuid": 1, "name": "run"})
    assert exit_code == 65
    assert not modules & {"pymongo", "requests", "agavepy"}


def test_a_wrong_setting_loads_no_driver(abaco: CheckedAbaco, job: StoredJob) -> None:
    modules, exit_code = imported(abaco.configured(_REACTOR_MONGODB_AUTHN="%"), job.event("update"))
    assert exit_code == 78
    assert not modules & (HEAVY | {"pymongo", "bson"})
