"""A sender that dies at any of its steps: what it had spooled is applied once and in order, or is kept as refused.

`run` waits in the spool already; the sender that is killed adds one more event, sends both, and sees the second taken
or refused.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelinejobs import client
from pipelinejobs.client import Job
from support.canaries import NONCE
from support.message_samples import JOB, TOKEN
from support.misbehaving import Judge, manager

SCRIPT = Path(__file__).resolve().parents[1] / "support" / "client_crash.py"


def send(file: Path, point: str, url: str, spool: Path, event: str) -> int:
    """The code with which a sender ends that may be killed."""
    where = ["--callback", f"{url}?x-nonce={NONCE}&uuid={JOB}&token={TOKEN}", "--spool", str(spool), "--id", "second"]
    command = [sys.executable, str(SCRIPT), str(file), point, *where, event]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


def steps(directory: Path, event: str) -> list[str]:
    """The points that a sender passes which is not killed."""
    with manager(Judge("finish")) as served:
        Job(served.url, JOB, TOKEN, spool=directory / "spool", later=True).run(event_id="first")
        send(directory / "points", "never", served.url, directory / "spool", event)
    return (directory / "points").read_text().splitlines()


@pytest.mark.parametrize("event", ["update", "finish"])
def test_at_every_step(tmp_path: Path, event: str) -> None:
    (tmp_path / "whole").mkdir()
    points = steps(tmp_path / "whole", event)
    assert {point.split()[1] for point in points} >= {"open", "fsync", "replace", "post", "unlink"}
    written = 0
    for number, point in enumerate(points):
        place = tmp_path / str(number)
        place.mkdir()
        judge = Judge("finish")
        with manager(judge) as served:
            Job(served.url, JOB, TOKEN, nonce=NONCE, spool=place / "spool", later=True).run(event_id="first")
            assert send(place / "points", point, served.url, place / "spool", event) == -9, point
            before = [key for _, key in judge.applied]
            flushed = client.flush(place / "spool")
            refused = [json.loads(path.read_text()) for path in (place / "spool").glob("refused/*.json")]
        assert (flushed.left, flushed.damaged) == (0, []), point
        done = [key for _, key in judge.applied] + [record["id"] for record in refused]
        assert done in (["first"], ["first", "second"]), point
        assert len(done) >= len(before)
        assert all(record["refused"]["verdict"] == "illegal" for record in refused)
        durable = points.index("after replace 1") <= number
        assert not durable or done == ["first", "second"], point
        written += durable
    assert written > len(points) / 2
