"""Text of other programs in jobs cannot control the operator's terminal."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from pymongo.collection import Collection

from integration.cli.conftest import Cli
from pipelinejobs.store.nonces import NewNonce
from pipelinejobs.store.store import Store
from support.factories import UUID, catalogued

pytestmark = pytest.mark.promise("S21")

Jobs = Collection[dict[str, Any]]
FORGED: Final = "ok     jobs: FORGED"
HOSTILE: Final = (
    f"\x1b[2J\x1b]0;title\x07\x9b31m\r\n{FORGED}\x0b{FORGED}\x85{FORGED}\u2028{FORGED}"
    "\u202e\u2066\u200f\u061c\u200b\ufeff\U000e0041\x08\x7f\ue000=cmd|'x'!A1"
)
"""Clears the screen, sets the title, colours, begins lines, turns the direction of writing, hides, and goes back."""
DANGEROUS: Final = set(HOSTILE) - {char for char in HOSTILE if char.isprintable()}
COMMANDS: Final = [
    ["show", UUID],
    ["history", UUID],
    ["explain", UUID],
    ["diagram", UUID],
    ["jobs", "--all"],
    ["doctor"],
    ["nonce", "list"],
]


@pytest.fixture
def hostile(store: Store, jobs: Jobs) -> Jobs:
    """A job with hostile texts in all stored texts and names."""
    document = catalogued("job-finished.json")
    data = {HOSTILE: HOSTILE, "list": [HOSTILE, {"note": HOSTILE}]}
    entries = [{**entry, "data": data} for entry in document["history"]]
    entries.insert(1, {"uuid": HOSTILE, "name": HOSTILE, "date": HOSTILE, "data": data})
    now = datetime.now(UTC)
    row = {"id": HOSTILE, "name": HOSTILE, "life": entries[0]["uuid"], "attempts": 3, "holder": None}
    row |= {"next": now, "created": now, "error": HOSTILE}
    odd = {"data": data, "archive_path": HOSTILE, "session": HOSTILE, "agent": HOSTILE, "last_event": HOSTILE}
    outbox = [{**row, "status": status} for status in ("pending", "undelivered")]
    jobs.insert_one({**document, **odd, "history": entries, "_outbox": outbox, HOSTILE: HOSTILE})
    jobs.insert_one({"uuid": HOSTILE, "state": HOSTILE, "last_event": HOSTILE, "updated": HOSTILE, "history": HOSTILE})
    refusal = dict.fromkeys(("reason", "event", "kind", "status", "state", "sender", "execution", "data"), HOSTILE)
    jobs.database["jobs_refused"].insert_one({**refusal, "job": UUID, "date": now, "verdict": HOSTILE})
    place = "alias:jobs-manager.prod"
    store.nonces.make(NewNonce(scope=place, tenant="SD2E", description=HOSTILE, owner=HOSTILE))
    return jobs


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_looks_at_jobs(cli: Cli, hostile: Jobs, command: list[str], form: list[str]) -> None:
    done = cli(*command, *form)
    assert done.exit_code in (0, 1), done
    assert not DANGEROUS.intersection(done.out + done.err) - {"\n"}
    assert not [line for line in (done.out + done.err).splitlines() if line.startswith(FORGED)]
    assert command[0] == "diagram" or "FORGED" in done.out  # they were there to be shown


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_makes_jobs_and_sends_to_them(cli: Cli, form: list[str]) -> None:
    """Hostile texts in the arguments, which the operator may have pasted."""
    told = [
        cli("create", "--pipeline-name", HOSTILE, *form),
        cli("create", "--pipeline", HOSTILE, *form),
        cli("create", "--pipeline-name", "x", "--data", json.dumps({HOSTILE: HOSTILE}), *form),
        cli("create", "--pipeline-name", "x", "--archive-path", HOSTILE, *form),
        cli("send", HOSTILE, HOSTILE, *form),
        cli("send", UUID, HOSTILE, "--id", HOSTILE, *form),
        cli("send", UUID, "run", "--token", HOSTILE, *form),
        cli("send", UUID, "--message", HOSTILE, *form),
        cli("send", "--parameter", f"{HOSTILE}=x", *form),
        cli("jobs", "--text", HOSTILE, *form),
        cli("jobs", "--state", HOSTILE, *form),
        cli(HOSTILE),
        cli("jobs", "--json", HOSTILE),
        cli("nonce", "delete", HOSTILE),
        cli("jobs", _REACTOR_MONGODB_DATABASE=HOSTILE),
        cli("doctor", _REACTOR_MONGODB_DATABASE=HOSTILE),
    ]
    for done in told:
        assert not DANGEROUS.intersection(done.out + done.err) - {"\n"}
        assert not [line for line in (done.out + done.err).splitlines() if line.startswith(FORGED)]
