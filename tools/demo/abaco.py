"""A stand-in for Abaco: runs reactor.py the way an Abaco worker does, one process for each message.

Facts about Abaco 1.9: everything is passed in environment variables; a JSON object arrives in `MSG` as its Python repr,
text unchanged; URL parameters arrive under their own names; the `_abaco_*` variables are set last, so that the sender
cannot override them.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

ROOT: Final = Path(__file__).resolve().parents[2]


def posted(text: str) -> Any:
    """What Abaco passes on from a request body: the object, or the object or text under its key `message`.

    Raises:
        ValueError: not JSON, or not an object; Abaco answers HTTP 500.
    """
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("Abaco accepts only a JSON object")
    message = body.get("message")
    return message if message and isinstance(message, dict | str) else body


@dataclass(frozen=True, slots=True)
class Execution:
    """One finished run of the actor.

    Attributes:
        verdict: the last line on stdout, parsed as JSON; empty if it is no JSON.
    """

    exit_code: int
    stdout: str
    stderr: str
    verdict: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Abaco:
    """A registered actor.

    Attributes:
        environment: its default environment, as deployed from secrets.json.
        username: the sender of the messages.
        names: further variables that Abaco sets; a variable with the value None is not set.
    """

    environment: Mapping[str, str]
    username: str = "jdoe"
    names: Mapping[str, str | None] = field(default_factory=dict)

    def variables(self, body: Any, parameters: Mapping[str, str], execution: str | None = None) -> dict[str, str]:
        """The environment of one message's process.

        Args:
            body: a JSON object, or text, as it was posted; None for no message at all.
            parameters: the URL parameters, decoded.
            execution: the execution's id; random if None.
        """
        given: dict[str, str | None] = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **self.environment,
            **parameters,
            "_abaco_username": self.username,
            "_abaco_execution_id": execution or uuid4().hex[:13],
            "_abaco_Content_Type": "str" if isinstance(body, str) else "application/json",
            "_abaco_actor_revision": "1",
            "_abaco_access_token": "",
            "_abaco_actor_dbid": "SD2E_G1p783PxpalBB",
            "_abaco_actor_id": "G1p783PxpalBB",
            "_abaco_worker_id": "W0rk3r",
            "_abaco_actor_state": "{}",
            "_abaco_actor_name": "None",
            "_actor_configs": "{}",
            "MSG": None if body is None else str(body),
            **self.names,
        }
        return {name: value for name, value in given.items() if value is not None}

    def start(
        self, body: Any = None, parameters: Mapping[str, str] | None = None, execution: str | None = None
    ) -> subprocess.Popen[str]:
        """Starts the process of one message, with an empty stdin, and without this process's environment."""
        return subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [sys.executable, "-Es", str(ROOT / "reactor.py")],
            env=self.variables(body, parameters or {}, execution),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(
        self, body: Any = None, parameters: Mapping[str, str] | None = None, execution: str | None = None
    ) -> Execution:
        """Runs the actor with one message, and waits until it ends."""
        return finished(self.start(body, parameters, execution))


def finished(process: subprocess.Popen[str]) -> Execution:
    """Waits for the process, at most twice the time that a run may take."""
    stdout, stderr = process.communicate(timeout=60)
    lines = stdout.splitlines()
    try:
        verdict = json.loads(lines[-1])
    except (IndexError, ValueError):
        verdict = {}
    return Execution(process.returncode, stdout, stderr, verdict)
