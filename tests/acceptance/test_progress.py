"""Progress for operators who wait: `drain`, the start of the gateway, `make soak`; on a terminal, and without."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo.database import Database

from pipelinejobs.mongod import Mongod
from support.factories import catalogued
from support.process import Documents, insert_job
from support.terminal import CTRL_C, ROOT, SECONDS, terminal
from tools.demo.indexer import Indexer

DRAIN: Final = (sys.executable, "-m", "pipelinejobs", "drain")
INTERRUPTED: Final = 130
COLOURS: Final = re.compile(r"\x1b\[[0-9;]*3[0-9]")


@pytest.fixture
def variables(mongodb_uri: str, database: Database[Any], indexer: Indexer) -> dict[str, str]:
    return {
        "_REACTOR_MONGODB_URI": mongodb_uri,
        "_REACTOR_MONGODB_DATABASE": database.name,
        "_REACTOR_PIPELINES_JOB_INDEXER_URL": indexer.url,
    }


@pytest.fixture
def owing(jobs: Documents) -> list[str]:
    """Jobs that owe a message each."""
    made = []
    now = datetime.now(UTC)
    for number in range(12):
        life = catalogued("job-finished.json")["history"][0]["uuid"]
        row = {"id": str(uuid.UUID(int=number)), "name": "index", "life": life, "status": "pending", "attempts": 0}
        row |= {"next": now, "created": now, "error": None, "holder": None}
        made.append(insert_job(jobs, "job-finished.json", _outbox=[row]).uuid)
    return made


def piped(command: tuple[str, ...], variables: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables, **more},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class TestDrain:
    @pytest.mark.parametrize("columns", [40, 100])
    def test_on_a_terminal(self, variables: dict[str, str], owing: list[str], indexer: Indexer, columns: int) -> None:
        indexer.delay = 0.1
        with terminal((*DRAIN, "--json"), variables, columns=columns) as seen:
            assert seen.end() == 0
            assert json.loads(seen.printed) == {"sent": 12, "failed": 0, "waiting": 0, "owed": 0}
            assert "━━━" in seen.text
            assert "12 messages" in seen.text
            assert seen.is_whole
            assert max(map(len, re.split(r"[\r\n]+", seen.text))) <= columns

    def test_in_a_pipe_it_is_lines(self, variables: dict[str, str], owing: list[str], indexer: Indexer) -> None:
        indexer.status = 500
        done = piped(DRAIN, variables, TERM="xterm-256color", FORCE_COLOR="1")
        first, *failed = done.stderr.splitlines()
        assert first == "Sending messages to the Indexer: 12 messages ..."
        assert sorted(line.split()[2].rstrip(":") for line in failed) == sorted(owing)
        assert (done.stdout + done.stderr).replace("\n", "").isprintable()

    def test_what_is_printed_is_the_same(self, variables: dict[str, str], owing: list[str], indexer: Indexer) -> None:
        indexer.status = 500
        with terminal(DRAIN, variables) as seen:
            assert seen.end() == 1
            assert (
                seen.printed
                == piped(DRAIN, variables).stdout
                == "0 delivered, 12 attempts failed, 0 held by other processes, 12 left in the outbox\n"
            )
            assert all(uuid in seen.text for uuid in owing)

    def test_a_terminal_that_cannot_be_drawn_on(self, variables: dict[str, str], owing: list[str]) -> None:
        with terminal(DRAIN, variables, term="dumb") as seen:
            assert seen.end() == 0
            assert seen.shown == "Sending messages to the Indexer: 12 messages ...\r\n"

    def test_without_colours(self, variables: dict[str, str], owing: list[str], indexer: Indexer) -> None:
        indexer.delay = 0.1
        with terminal(DRAIN, variables | {"NO_COLOR": "1"}) as seen:
            assert seen.end() == 0
            assert "━━━" in seen.text
            assert not COLOURS.search(seen.shown)

    def test_with_colours(self, variables: dict[str, str], owing: list[str], indexer: Indexer) -> None:
        indexer.delay = 0.1
        with terminal(DRAIN, variables) as seen:
            assert seen.end() == 0
            assert COLOURS.search(seen.shown)

    def test_ctrl_c(self, variables: dict[str, str], owing: list[str], indexer: Indexer) -> None:
        indexer.delay = 5
        with terminal(DRAIN, variables) as seen:
            seen.wait_for("of 12 messages")
            seen.press(CTRL_C)
            assert seen.end() == INTERRUPTED
            assert seen.is_whole
            assert seen.printed == ""
            assert "Traceback" not in seen.text


STEPS: Final = (
    "Loading the gateway",
    "Starting the embedded MongoDB",
    "Making the indexes",
    "Making a sample job",
)


class TestServe:
    @pytest.fixture
    def own(self, tmp_path: Path) -> dict[str, str]:
        return {"_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(tmp_path / "mongodb"), "_REACTOR_GATEWAY_PORT": "0"}

    def test_its_first_start_on_a_terminal(self, own: dict[str, str], nothing_left: None) -> None:
        with terminal((sys.executable, "-m", "pipelinejobs", "serve", "--sample"), own, columns=40) as seen:
            seen.wait_for_printed("Press Ctrl-C to stop the gateway.")
            places = [" ".join(seen.text.split()).rfind(f"{step} (") for step in STEPS]
            assert places == sorted(places)
            assert places[0] >= 0
            seen.press(CTRL_C)
            assert seen.end() == 0
            assert seen.is_whole
            assert seen.printed.endswith("\nstopped\n")

    def test_a_log_line_meanwhile_stays_whole(self, own: dict[str, str], nothing_left: None) -> None:
        with terminal((sys.executable, "-m", "pipelinejobs", "serve", "--sample"), own, columns=40) as seen:
            seen.wait_for_printed("Press Ctrl-C to stop the gateway.")
            (line,) = [line for line in re.split(r"[\r\n]+", seen.text) if "pipelines.job_indexer_url" in line]
            assert json.loads(line)["level"] == "WARNING"
            seen.press(CTRL_C)
            assert seen.end() == 0

    @pytest.mark.parametrize("arguments", [("--sample",), ()])
    def test_in_a_pipe(
        self, own: dict[str, str], tmp_path: Path, nothing_left: None, arguments: tuple[str, ...]
    ) -> None:
        """With --sample, stderr has plain progress lines; the stderr of a service has only log lines."""
        log = tmp_path / "stderr"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipelinejobs", "serve", *arguments],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **own},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("The gateway serves at ")
            process.terminate()
        lines = log.read_text().splitlines()
        plain = [line for line in lines if not line.startswith("{")]
        assert plain == ([f"{step} ..." for step in STEPS] if arguments else [])

    def test_ctrl_c_while_it_starts(self, own: dict[str, str], tmp_path: Path, nothing_left: None) -> None:
        with terminal((sys.executable, "-m", "pipelinejobs", "serve", "--sample"), own) as seen:
            seen.wait_for("Starting the embedded MongoDB")
            seen.press(CTRL_C)
            assert seen.end() in (0, INTERRUPTED)
            assert seen.is_whole
            assert "Traceback" not in seen.text
            assert Mongod(tmp_path / "mongodb").status() is None


class TestSoak:
    def test_ctrl_c(self, tmp_path: Path, nothing_left: None) -> None:
        variables = {"TMPDIR": str(tmp_path)}
        with terminal(
            (sys.executable, "-m", "tools.chaos", "--short", "--senders", "2", "--seed", "7"), variables, columns=40
        ) as seen:
            seen.wait_for("fault now")
            assert "acknowledged" in seen.text
            assert re.search(r"MiB", seen.text)
            seen.press(CTRL_C)
            assert seen.end() == INTERRUPTED
            assert seen.is_whole
            assert "Traceback" not in seen.text
            assert seen.text.endswith("the seed was 7\n")
        assert not list(tmp_path.glob("chaos-*"))
