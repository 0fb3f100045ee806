"""Where the Reactors SDK is installed, reactor.py uses it, and still nothing secret is written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.canaries import ADMIN_KEY, ADMIN_SECRET, CANARIES
from support.process import CheckedAbaco, StoredJob
from support.sdk import SAID, SECRETS
from tools.demo.abaco import Execution, finished

SCRIPT = Path(__file__).parents[1] / "support" / "sdk.py"
ACCESS_TOKEN = "canary-access-token-5b"
X_NONCE = "SD2E_canaryNonce77"


@pytest.fixture
def actor(abaco: CheckedAbaco, mongodb_uri: str, tmp_path: Path) -> CheckedAbaco:
    """The actor, in a deployment of Abaco that gives it an access token."""
    abaco.hidden.update({mongodb_uri, abaco.environment["_REACTOR_MONGODB_AUTHN"], ACCESS_TOKEN, X_NONCE})
    names = {"_abaco_access_token": ACCESS_TOKEN, "_abaco_api_server": "https://api.invalid", "HOME": str(tmp_path)}
    return CheckedAbaco(environment=abaco.environment, names=names, hidden=abaco.hidden)


def run(actor: CheckedAbaco, job: StoredJob, *arguments: str) -> Execution:
    """One run beside the SDK, which is told every secret."""
    secrets = " ".join((*CANARIES, *actor.hidden))
    for secret in (ADMIN_KEY, ADMIN_SECRET, job.token, ACCESS_TOKEN, X_NONCE):
        assert secret in secrets
    environ = actor.variables(job.event("update"), {"x-nonce": X_NONCE}) | {SECRETS: secrets}
    command = [sys.executable, "-Es", str(SCRIPT), *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
    return finished(process)


def test_a_good_message_shows_no_secret(actor: CheckedAbaco, job: StoredJob) -> None:
    execution = actor.check(run(actor, job))
    assert execution.verdict["verdict"] == "applied"
    for way in SAID:
        assert execution.stderr.count(way) == 1, f"{way!r} is not there once in: {execution.stderr}"
    assert job.stored()["_salt"] not in execution.stderr
    assert json.loads(execution.stderr.splitlines()[-1])["message"].startswith("applied: ")


def test_a_defect_shows_no_secret_in_its_traceback(actor: CheckedAbaco, job: StoredJob) -> None:
    execution = run(actor.configured(_REACTOR_LOGS_LEVEL="DEBUG"), job, "defect")
    assert execution.exit_code == 75
    lines = [json.loads(line) for line in execution.stderr.splitlines()]
    (told,) = (line for line in lines if "this is a defect" in line["message"])
    assert "in fail" in told["traceback"]
    shown = execution.stdout + execution.stderr
    assert not [secret for secret in (*CANARIES, *actor.hidden) if secret in shown]
