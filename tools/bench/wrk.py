"""Senders: wrk, which is light enough to share two cores with what it measures."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pymongo.database import Database

from tools.bench.deployment import Broken
from tools.bench.jobs import Document, Job
from tools.chaos.gateways import TOKEN, Gateway
from tools.chaos.proxy import HOST

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_SETTLE_SECONDS: Final = 0.2
_APT: Final = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back.

    Attributes:
        events: how many were acknowledged.
        seconds: in which time.
        p99: seconds that 99 of 100 took at the most; see `raw.p99`.
    """

    events: int
    seconds: float
    p99: float

    @property
    def rate(self) -> float:
        """Events in a second."""
        return self.events / self.seconds


def ensure() -> None:
    """Sees to it that there is wrk, and ends the program where there cannot be."""
    if shutil.which("wrk"):
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing wrk ...", flush=True)
        for command in (("update",), ("install", "-y", "--no-install-recommends", "wrk")):
            subprocess.run([*_APT, *command], check=False, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed words
    if not shutil.which("wrk"):
        sys.exit("The gateway is measured with wrk, which is not here; install it (such as by `apt-get install wrk`).")


def send(
    gateway: Gateway,
    database: Database[Document],
    jobs: Sequence[Job],
    *,
    in_flight: int,
    seconds: int,
    acknowledged: Path | None = None,
) -> Answers:
    """Sends an update to one of these jobs after the other.

    Args:
        gateway: where to.
        database: the gateway's.
        jobs: from the first again when all had one.
        in_flight: how many senders there are; each waits for its answer.
        seconds: how long they go on.
        acknowledged: gets the execution id of each event that was acknowledged, a line each.

    Raises:
        Broken: an event was refused, or fewer or more are stored than were sent.
    """
    events = gateway.log.with_name("events.jsonl")
    events.write_text("".join(json.dumps(job.event()) + "\n" for job in jobs))
    before = _stored(database)
    command = ["wrk", "-t1", f"-c{in_flight}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT)]
    command += [f"http://{HOST}:{gateway.port}/actors/v2/jobs-manager.prod/messages", "--", str(events), TOKEN]
    command += [str(acknowledged)] if acknowledged else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - words of ours
    if done.returncode:
        raise Broken(f"wrk ended with {done.returncode}: {done.stderr.strip()}")
    said = json.loads(done.stdout.splitlines()[-1])
    stored = _settled(database) - before
    if said["refused"] or said["broken"] or not said["events"]:
        raise Broken(f"of {said['events']} answers {said['refused']} are no 200, and {said['broken']} are broken off")
    if not said["events"] <= stored <= said["events"] + in_flight:  # the last ones were not waited for
        raise Broken(f"{said['events']} events were acknowledged, but {stored} are stored")
    return Answers(said["events"], said["seconds"], said["p99"])


def _stored(database: Database[Document]) -> int:
    """How many events are in the histories of all jobs."""
    found = list(database["jobs"].aggregate([{"$group": {"_id": None, "events": {"$sum": "$_properties.revision"}}}]))
    return int(found[0]["events"]) if found else 0


def _settled(database: Database[Document]) -> int:
    """The same, once nothing more comes: the last events that were sent are handled though nobody waits for them."""
    stored, before = _stored(database), -1
    while stored != before:
        time.sleep(_SETTLE_SECONDS)
        stored, before = _stored(database), stored
    return stored
