"""Jobs and events for tests, with everything that does not matter filled in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bson import json_util

from pipelinejobs.core.job import Job
from pipelinejobs.core.tokens import job_token
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.util.secret import Secret

UUID = "107b93f3-1eae-5e79-8a18-0a480f8aa3a5"
LIFE = "1089e127-3b75-5dae-9098-e87a70a1fc49"
SALT = "cneesh0idbqahsxru03u4q=="
ADMIN = {"owner": "sd2eadm", "project": "SD2E-Community", "tenant": "sd2e"}
TOKEN = job_token(UUID, SALT, ADMIN)
NOW = datetime(2026, 11, 23, 18, 0, 0, tzinfo=UTC)


def a_job(state: str = "CREATED", **changes: Any) -> Job:
    """A sound job in this state."""
    fields: dict[str, Any] = {
        "key": 1,
        "uuid": UUID,
        "state": state,
        "life": LIFE,
        "attempt": LIFE,
        "admin": ADMIN,
        "salt": SALT,
    }
    return Job(**(fields | changes))


def a_command(name: str, token: str | None = TOKEN, **changes: Any) -> Event:
    """An explicit event."""
    fields: dict[str, Any] = {
        "job": UUID,
        "name": name,
        "kind": Kind.COMMAND,
        "id": "execution:1",
        "tokens": (Secret(token),) if token is not None else (),
        "sender": "jdoe",
    }
    return Event(**(fields | changes))


def a_report(name: str, status: str | None = None, external: str | None = "agave:1-007", **changes: Any) -> Event:
    """A job system's report."""
    fields: dict[str, Any] = {
        "kind": Kind.REPORT,
        "id": f"sha256:{name}{status}",
        "external": external,
        "status": status,
    }
    return a_command(name, **(fields | changes))


def catalogued(name: str) -> dict[str, Any]:
    """A job as python-datacatalog wrote it: `job-created.json` or `job-finished.json`."""
    document: dict[str, Any] = json_util.loads((Path(__file__).parents[1] / "data" / name).read_text())
    return document
