"""Takes a sample job from its creation to its end by all three message forms, and prints each step.

The demo passes each message to reactor.py as Abaco does, and uses a MongoDB server of its own. The exit code is 0 only
if every step had the expected result.
"""

import base64
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from pipelinejobs.mongod import Mongod
from pipelinejobs.util.errors import PipelineJobsError
from tools.demo.abaco import ROOT, Abaco, Execution
from tools.demo.indexer import Indexer


class Broken(Exception):
    """A step failed, so that the demo cannot continue."""


class Story:
    """The steps of the demo, and which of them had an unexpected result."""

    def __init__(self, uri: str, indexer: Indexer) -> None:
        self._environment = {
            "_REACTOR_MONGODB_AUTHN": base64.urlsafe_b64encode(uri.encode()).decode(),
            "_REACTOR_MONGODB_DATABASE": "demo",
            "_REACTOR_PIPELINES_JOB_INDEXER_URL": indexer.url,
        }
        self._abaco = Abaco(environment=self._environment)
        self._indexer = indexer
        self.wrong: list[str] = []

    def tell(self) -> None:
        """Runs all steps."""
        job = self.command("create", "--pipeline-name", "demo", "--data", json.dumps({"demo": time.time()}))
        uuid, token = job["uuid"], job["token"]
        heading(f"A new job: {uuid}, {job['state']}")

        heading("A JSON event, as Abaco passes it (a Python literal)")
        event = {"uuid": uuid, "name": "run", "token": token, "data": {"note": "started"}}
        self.send(event, {}, "applied", "RUNNING")

        heading("An event as URL parameters; the body is its data")
        parameters = {"uuid": uuid, "event": "update", "token": token, "note": "half-way"}
        self.send({"progress": 0.5}, parameters, "applied", "RUNNING")

        heading("A callback of Agave: the job has finished")
        self.send(agave_callback("FINISHED"), {"uuid": uuid, "token": token}, "applied", "FINISHED")

        heading("The history")
        self.show("history", uuid)
        names = [entry["name"] for entry in self.command("history", uuid)]
        self.check(names == ["create", "run", "update", "finish"], f"the history is {names}")

        heading("The index request, as the Indexer received it")
        for request in self._indexer.received:
            print(f"  POST {request.path.partition('?')[0]}\n  {json.dumps(request.body)}")
        wanted = [{"message": {"uuid": uuid, "name": "index", "token": token}}]
        self.check(
            [request.body for request in self._indexer.received] == wanted,
            "the Indexer did not receive exactly one index request",
        )

        heading("A wrong token is refused")
        self.send({"uuid": uuid, "name": "fail", "token": "0123456789abcdef"}, {}, "unauthorised", None)

        heading("An event that the lifecycle does not allow is refused")
        self.send({"uuid": uuid, "name": "run", "token": token}, {}, "illegal", "FINISHED")

        heading("Why the job is in its state")
        self.show("explain", uuid)
        self.check(self.command("show", uuid)["state"] == "FINISHED", "the job did not stay FINISHED")

    def send(self, body: Any, parameters: dict[str, str], verdict: str, state: str | None) -> None:
        """Sends one message, prints the verdict, and compares it with the expected one."""
        print(f"  MSG={shortened(str(body))}")
        for name, value in parameters.items():
            print(f"  {name}={value}")
        execution: Execution = self._abaco.send(body, parameters)
        print(f"  -> exit code {execution.exit_code}: {json.dumps(execution.verdict)}")
        came = execution.verdict.get("verdict"), execution.verdict.get("state")
        self.check(came == (verdict, state), f"expected {(verdict, state)}, but got {came}: {execution.stderr}")

    def show(self, *arguments: str) -> None:
        """Prints the output of a command."""
        for line in self._run(*arguments).splitlines():
            print(f"  {line}")

    def command(self, *arguments: str) -> Any:
        """The output of a command with --json."""
        return json.loads(self._run(*arguments, "--json"))

    def check(self, right: bool, otherwise: str) -> None:
        """Records an unexpected result, and prints it."""
        if not right:
            self.wrong.append(otherwise)
            print(f"  !! {otherwise}")

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "pipelinejobs", *arguments]
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Broken(done.stderr.strip() or f"{arguments[0]} ended with {done.returncode}")
        return done.stdout


def agave_callback(status: str) -> dict[str, Any]:
    """The body that Agave posts, with the fields that matter."""
    job = "4183620957716350441-a81f0c2e9b7d-0001-007"
    return {
        "id": job,
        "name": "align-reads-42",
        "owner": "jdoe",
        "appId": "read-aligner-1.4.0u3",
        "executionSystem": "hpc-example-cluster",
        "archive": True,
        "archivePath": "/products/v2/run-42",
        "archiveSystem": "data-sd2e-community",
        "retries": 0,
        "localId": "88213",
        "status": status,
        "inputs": {},
        "parameters": {"threads": 32},
        "_links": {"self": {"href": f"https://api.sd2e.org/jobs/v2/{job}"}},
    }


def heading(text: str) -> None:
    """Prints the heading of a step."""
    print(f"\n== {text}", flush=True)


def shortened(text: str) -> str:
    """The text, cut to one line of the terminal."""
    return text if len(text) <= 160 else f"{text[:157]}..."


def interrupted(number: int, _frame: object) -> NoReturn:
    """Ends the process in the normal way, so that the servers it started are stopped."""
    raise SystemExit(128 + number)


def main() -> int:
    """Runs the demo."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupted)
    try:
        with tempfile.TemporaryDirectory(prefix="pipelinejobs-demo-", ignore_cleanup_errors=True) as directory:
            mongod = Mongod(Path(directory) / "mongodb")
            try:
                print("Starting a MongoDB server for the demo ...", flush=True)
                with Indexer() as indexer:
                    story = Story(mongod.start().uri, indexer)
                    story.tell()
            finally:
                mongod.stop()
    except (PipelineJobsError, Broken, OSError, subprocess.SubprocessError) as error:
        print(f"\nThe demo FAILED: {error}", file=sys.stderr)
        return 1
    if story.wrong:
        print(f"\nThe demo FAILED: {len(story.wrong)} unexpected results.")
        return 1
    print("\nThe demo succeeded: every step had the expected result.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
