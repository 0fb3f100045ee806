"""Makes a dump of what a state of this project stores: `make.py CHECKOUT NAME > NAME.json`, with MONGODB_URI set.

CHECKOUT is a directory with that state's files, whose `reactor.py` is run once for each message of a fixed script, and
whose `nonce add` is run where there is one. Today's code is then held against the dumps (tests/integration/
test_upgrade.py). A change of the stored form needs a new dump; the old ones stay.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from bson import json_util
from pymongo import MongoClient
from pymongo.database import Database

DATA: Final = Path(__file__).resolve().parent.parent
ADMIN: Final = "ADMIN"
"""Stands for an administrative token, which is good for an hour only."""
ADMIN_KEY: Final = "upgrade-key"
ADMIN_SECRET: Final = "upgrade-secret"
FIRST_USE: Final = "feedfacecafebeef"

Document = dict[str, Any]


def uuid_of(letter: str) -> str:
    """The uuid of the job that the script calls by this letter."""
    return f"107{sha256(letter.encode()).hexdigest()[:5]}-1eae-5e79-8a18-0a480f8aa3a5"


def token_of(letter: str) -> str:
    """The token that was given out with the job, by python-datacatalog's formula."""
    admin = job(letter)["_admin"]
    return sha256(f"salt of {letter}:{[uuid_of(letter), dict(admin)]!r}".encode()).hexdigest()[:16]


def admin_token(lifetime: int = 3600) -> str:
    """The administrative token of now."""
    window = str(int(time.time()) // lifetime)
    return sha256(":".join((ADMIN_SECRET, ADMIN_KEY, *window)).encode()).hexdigest()[:16]


def job(letter: str) -> Document:
    """The job as python-datacatalog made it."""
    document: Document = json_util.loads((DATA / "job-created.json").read_text("utf-8"))
    del document["_id"]
    entry = document["history"][0] | {"uuid": f"108{uuid_of(letter)[3:]}"}
    return document | {"uuid": uuid_of(letter), "_salt": f"salt of {letter}", "history": [entry]}


def script() -> Iterator[Document]:
    """The messages, each with the settings of its run. `before` changes a stored job first."""

    def event(letter: str, name: str, number: int, data: Document | None = None, **more: Any) -> Document:
        body = {"uuid": uuid_of(letter), "name": name, "token": token_of(letter)} | ({"data": data} if data else {})
        return {
            "body": body,
            "parameters": {"x_event_id": f"{letter}-{number}"},
            "execution": f"ex{letter}{number}",
            **more,
        }

    def report(letter: str, body: Document, number: int, **more: Any) -> Document:
        where = {"uuid": uuid_of(letter), "token": token_of(letter)}
        return {"body": body, "parameters": where, "execution": f"ex{letter}{number}", **more}

    agave = json.loads((DATA / "agave-callback.json").read_text("utf-8"))
    tapis = json.loads((DATA / "tapis-notification.json").read_text("utf-8"))
    rotate = {"_salt": "rotated"}
    yield event("A", "run", 1, {"node": "c401", "$set": {"a.b": 1}})
    parameters = {"uuid": uuid_of("A"), "event": "update", "token": token_of("A"), "note": "half-way"}
    yield {"body": {"progress": 0.5}, "parameters": parameters, "execution": "exA2", "before": {"A": rotate}}
    yield report("A", agave | {"status": "FINISHED"}, 3)
    for number in range(1, 11):
        yield event("B", "update", number, {"n": number}, settings={"_REACTOR_HISTORY_EMBEDDED": "4"})
    yield report("C", agave | {"status": "RUNNING", "id": "1-007"}, 1)
    yield report("C", agave | {"status": "FAILED", "id": "1-007"}, 2)
    yield event("C", "reset", 3, token=ADMIN)
    yield event("C", "ready", 4, token=ADMIN)
    yield report("C", agave | {"status": "RUNNING", "id": "2-007"}, 5)
    yield report("C", agave | {"status": "FINISHED", "id": "1-007"}, 6)
    yield event("D", "finish", 1)
    yield event("D", "run", 2, token="0" * 16)
    yield event("D", "run", 3)
    first_use = {"_salt": "rotated", "_properties.revision": 1}
    trusting = {"_REACTOR_TOKENS_TRUST_ON_FIRST_USE": "true"}
    yield event("E", "update", 1, token=FIRST_USE, before={"E": first_use}, settings=trusting)
    yield event("F", "run", 1)
    yield event("F", "finish", 2, settings={"_REACTOR_OUTBOX_ATTEMPTS": "1"})
    yield report("G", tapis, 1)
    yield event("G", "update", 2)


def run(checkout: Path, database: Database[Document]) -> list[Document]:
    """Runs the script, and returns the messages with what became of them."""
    for letter in "ABCDEFG":
        database["jobs"].insert_one(job(letter))
    messages = []
    for message in script():
        for letter, fields in message.pop("before", {}).items():
            database["jobs"].update_one({"uuid": uuid_of(letter)}, {"$set": fields})
        settings = message.pop("settings", {})
        token = message.pop("token", None)
        if token is not None:
            message["body"]["token"] = token
        body = message["body"] if token != ADMIN else message["body"] | {"token": admin_token()}
        environment = {
            "PATH": os.environ["PATH"],
            "_REACTOR_MONGODB_URI": os.environ["MONGODB_URI"],
            "_REACTOR_MONGODB_DATABASE": database.name,
            "_REACTOR_TOKENS_ADMIN_KEY": ADMIN_KEY,
            "_REACTOR_TOKENS_ADMIN_SECRET": ADMIN_SECRET,
            "_REACTOR_PIPELINES_JOB_INDEXER_URL": "http://127.0.0.1:1/",  # no server listens there
            **settings,
            **message["parameters"],
            "_abaco_username": "jdoe",
            "_abaco_execution_id": message["execution"],
            "_abaco_actor_id": "G1p783PxpalBB",
            "MSG": str(body),
        }
        command = [sys.executable, "-Es", str(checkout / "reactor.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        messages.append(message | {"verdict": json.loads(done.stdout.splitlines()[-1])["verdict"]})
    return messages


def nonce(checkout: Path, database: Database[Document]) -> str | None:
    """A nonce made by that state; None where it knew none."""
    if not (checkout / "pipelinejobs" / "cli" / "nonce.py").exists():
        return None
    environment = {
        "PATH": os.environ["PATH"],
        "_REACTOR_MONGODB_URI": os.environ["MONGODB_URI"],
        "_REACTOR_MONGODB_DATABASE": database.name,
    }
    command = [sys.executable, "-m", "pipelinejobs", "nonce", "add", "--json"]
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    made: str = json.loads(done.stdout)["id"]
    return made


def collections(database: Database[Document]) -> dict[str, list[Document]]:
    """Everything that is stored for longer than seconds."""
    kept = set(database.list_collection_names()) - {"jobs_journal"}
    return {name: list(database[name].find()) for name in sorted(kept)}


def main(checkout: str, name: str) -> None:
    """Prints the dump."""
    with MongoClient[Document](os.environ["MONGODB_URI"], tz_aware=True) as client:
        database = client[f"upgrade_{name}"]
        client.drop_database(database)
        try:
            messages = run(Path(checkout), database)
            made = nonce(Path(checkout), database)
            dump = {"state": name, "messages": messages, "nonce": made, "collections": collections(database)}
            print(json_util.dumps(dump, indent=1, sort_keys=False))
        finally:
            client.drop_database(database)


if __name__ == "__main__":
    main(*sys.argv[1:])
