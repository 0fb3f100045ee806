"""A run of reactor.py as a whole process, against a minimal script with the same read and write."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from pymongo.database import Database

from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from tools.bench import jobs
from tools.bench.deployment import Broken, Deployment
from tools.bench.figure import Figure, at_most
from tools.bench.jobs import Document
from tools.bench.size import Size

_HERE: Final = Path(__file__).resolve().parent
_PYTHON: Final = (sys.executable, "-Es")
"""The options with which the image starts Python."""
_ACTOR: Final = (*_PYTHON, str(_HERE.parents[1] / "reactor.py"))
_WRONG: Final = {"uuid": "107-no-uuid", "name": "run"}


@dataclass(frozen=True, slots=True)
class Runs:
    """Time and memory of the runs of one command: the medians."""

    seconds: float
    megabytes: float


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """Time and memory of one-shot runs."""
    applied, normally, refused, memory = [], [], [], []
    with deployment.database("bench_one_shot") as database:
        for _ in range(size.rounds):
            good = _good(deployment, database, size.runs)
            wrong = _wrong(deployment, size.runs)
            memory.append(good["product"].megabytes)
            applied.append(good["product"].seconds / good["at once"].seconds)
            normally.append(good["product"].seconds / good["normally"].seconds)
            refused.append(wrong["product"].seconds / wrong["Python"].seconds)
            for told in (good, wrong):
                print(
                    "  " + ", ".join(f"{name} {runs.seconds * 1000:.0f} ms" for name, runs in told.items()), flush=True
                )
    yield Figure("one-shot: an event applied", "bare script, left at once", applied, at_most(1.3))
    yield Figure("one-shot: an event applied", "bare script, left normally", normally)
    yield Figure("one-shot: memory", "-", memory, at_most(45), "MB")
    yield Figure("one-shot: a message refused", "a bare start of Python", refused, at_most(5))


def _good(deployment: Deployment, database: Database[Document], times: int) -> dict[str, Runs]:
    """An event that is applied, and the baseline script."""
    bared, job = jobs.make(database, 2)
    bare = (*_PYTHON, str(_HERE / "bare.py"), deployment.uri, database.name, bared.uuid)
    commands = {"at once": (*bare, "at-once"), "normally": (*bare, "normally"), "product": _ACTOR}
    environment = {"MSG": json.dumps(job.event()), **deployment.environment(database.name)}
    taken = _taken(deployment, commands, environment, times, Verdict.APPLIED)
    stored = database["jobs"].find_one({"uuid": job.uuid})
    if stored is None or stored["_properties"]["revision"] != times:
        raise Broken(f"{times} runs applied an event, but not all events are stored")
    return taken


def _wrong(deployment: Deployment, times: int) -> dict[str, Runs]:
    """A malformed JSON event, and a Python process that does nothing."""
    commands = {"Python": (*_PYTHON, "-c", "pass"), "product": _ACTOR}
    return _taken(deployment, commands, {"MSG": json.dumps(_WRONG)}, times, Verdict.MALFORMED)


def _taken(
    deployment: Deployment, commands: dict[str, tuple[str, ...]], more: dict[str, str], times: int, verdict: Verdict
) -> dict[str, Runs]:
    """What these commands take, by name; `product` is to come to this verdict.

    Raises:
        Broken: one ends otherwise.
    """
    output = deployment.directory / "one-shot.log"
    asked = {
        "commands": commands,
        "environment": {"PATH": os.environ["PATH"], "HOME": str(deployment.directory), "LOCALONLY": "1", **more},
        "output": str(output),
        "times": times,
    }
    done = subprocess.run(  # noqa: S603 - words of ours
        [sys.executable, "-I", "-S", str(_HERE / "launch.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    taken = {}
    for name, rows in json.loads(done.stdout).items():
        seconds, kibibytes, exit_codes = zip(*rows, strict=True)
        wanted = EXIT_CODES[verdict] if name == "product" else 0
        if set(exit_codes) != {wanted}:
            raise Broken(f"{name} ended with {sorted(set(exit_codes))}: {output.read_text()[-500:]}")
        taken[name] = Runs(median(seconds), median(kibibytes) * 1024 / 1e6)
    return taken
