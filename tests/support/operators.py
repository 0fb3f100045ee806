"""An operator with deploy/compose.yaml: makes the secrets, gives commands, sends events from outside."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from support.compose import Compose, composed
from support.gateway import ALIAS, eventually

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "deploy" / "compose.yaml"


class Operator:
    """One who has a compose project, with a user of the gateway, not yet started.

    Attributes:
        secrets: the directory of the secrets.
        bearer: the token of that user.
    """

    def __init__(self, compose: Compose) -> None:
        self.compose: Final = compose
        self.secrets: Final = compose.secrets
        made = self.told("bearer-token", "jdoe", "--permission", "UPDATE")
        self.bearer: Final[str] = made["token"]
        file = self.secrets / "secrets.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"_REACTOR_GATEWAY_TOKENS": made["setting"]}))

    def told(self, *command: str) -> Any:
        """The output of a command in the gateway's container."""
        return json.loads(self.compose.run("gateway", "python", "-Es", "-m", "pipelinejobs", *command, "--json"))

    def sent(self, job: dict[str, Any], event: str, identity: str) -> str:
        """The verdict of an event from outside, sent until it is answered otherwise than with 503."""
        url = f"http://{self.compose.networks.address('gateway', 'outside')}:8080/actors/v2/{ALIAS}/messages"
        body = {"uuid": job["uuid"], "name": event, "token": job["token"]}
        headers = {"Authorization": f"Bearer {self.bearer}", "Idempotency-Key": identity}

        def answered() -> httpx.Response | None:
            answer = httpx.post(url, json=body, headers=headers, timeout=30, verify=False, trust_env=False)
            return None if answer.status_code == 503 else answer

        with self.compose.networks.inside("outside"):
            answer: httpx.Response = eventually(answered, 60)
        verdict: str = answer.json()["result"]["verdict"]
        return verdict


@contextmanager
def operating(directory: Path) -> Iterator[Operator]:
    """One with secrets as make_secrets.py makes them; everything is ended afterwards."""
    command = [sys.executable, str(ROOT / "deploy" / "make_secrets.py"), str(directory / "secrets")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("created ") == 3
    assert "created " not in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with composed(FILE, directory, directory / "secrets") as compose:
        yield Operator(compose)
