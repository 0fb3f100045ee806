"""What all commands share: help, errors in one line, exit codes; and whole processes of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration.cli.conftest import Cli
from pipelinejobs.cli.main import COMMANDS
from pipelinejobs.mongod import Mongod

ROOT = Path(__file__).resolve().parents[3]
UNKNOWN = "1073f4ff-c2b9-5190-bd9a-e6a406d9796a"
NEED_A_DATABASE = {
    "create": ["--pipeline-name", "a"],
    "show": [UNKNOWN],
    "history": [UNKNOWN],
    "explain": [UNKNOWN],
    "jobs": [],
    "diagram": [UNKNOWN],
}


def process(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Runs one command as a process."""
    given = {"capture_output": True, "text": True, "timeout": 60, "cwd": ROOT, **options}
    run: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-m", "pipelinejobs", *arguments], **given
    )
    return run


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_an_example_and_json(self, cli: Cli, command: str) -> None:
        done = cli(command, "--help")
        assert done.exit_code == 0
        assert f"  python -m pipelinejobs {command}" in done.out
        assert "--json" in done.out
        assert max(map(len, done.out.splitlines())) <= 120

    def test_names_every_command_and_the_exit_codes(self, cli: Cli) -> None:
        out = cli("--help").out
        assert all(f"\n    {command}" in out for command in COMMANDS)
        assert all(str(code) in out for code in (0, 1, 2, 75, 78))

    @pytest.mark.parametrize("arguments", [[], ["nonsense"], ["--json"], ["\x1b[31m"], ["jobs", "--nonsense"]])
    def test_wrong_use_is_one_line(self, cli: Cli, arguments: list[str]) -> None:
        done = cli(*arguments)
        assert done.exit_code == 2
        assert "\x1b" not in done.err
        (line,) = done.err.splitlines()
        assert line.endswith("--help")


@pytest.mark.parametrize("command", NEED_A_DATABASE)
def test_without_a_server_every_command_says_so_in_one_line(cli: Cli, command: str, free_port: int) -> None:
    uri = f"mongodb://127.0.0.1:{free_port}/"
    done = cli(command, *NEED_A_DATABASE[command], _REACTOR_MONGODB_URI=uri, _REACTOR_LIMITS_DATABASE="0.2")
    assert (done.exit_code, done.out) == (75, "")
    assert done.err.startswith(f"{command}: no MongoDB server could be reached in time; nothing was changed (")
    assert f"127.0.0.1:{free_port}" in done.err
    assert done.err.endswith("`doctor` checks settings and server\n")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", NEED_A_DATABASE)
def test_a_wrong_setting_is_named_in_one_line(cli: Cli, command: str) -> None:
    done = cli(command, *NEED_A_DATABASE[command], _REACTOR_MONGODB_URI="http://user:hunter2hunter2@host")
    assert (done.exit_code, done.out) == (78, "")
    assert done.err.startswith(f"{command}: mongodb.uri: must be a connection string")
    assert len(done.err.splitlines()) == 1
    assert "hunter2" not in done.err


def test_an_unexpected_error_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelinejobs.cli.main import main

    def broken(*_: object) -> None:
        raise RuntimeError("mongodb://user:hunter2hunter2@host\nand more")

    monkeypatch.setattr(COMMANDS["diagram"], "run", broken)
    assert main(["diagram"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("diagram: unexpected error")
    assert "hunter2" not in err
    assert len(err.splitlines()) == 1


class TestProcesses:
    def test_the_reader_may_go_away(self) -> None:
        command = f'"{sys.executable}" -m pipelinejobs diagram | true; echo "${{PIPESTATUS[0]}}"'
        done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("0\n", "")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
    def test_a_full_disk_is_reported(self) -> None:
        with Path("/dev/full").open("w") as full:
            done = process("diagram", capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 1
        assert done.stderr.startswith("the result cannot be written: ")
        assert len(done.stderr.splitlines()) == 1

    def test_a_poor_environment_is_enough(self, mongodb_uri: str) -> None:
        environment = {"_REACTOR_MONGODB_URI": mongodb_uri, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
        done = process("show", UNKNOWN, env=environment)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"there is no job {UNKNOWN}" in done.stderr

    def test_bytes_that_are_no_text(self) -> None:
        done = process("show", os.fsdecode(b"\xff\xfe"))
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


class TestMongod:
    def test_it_is_stopped_whatever_else_is_wrong(self, cli: Cli, embedded: Mongod) -> None:
        wrong = {"_REACTOR_LIMITS_DATABASE": "soon", "_REACTOR_MONGODB_URI": "nonsense"}
        wrong["_REACTOR_MONGODB_EMBEDDED_DIRECTORY"] = str(embedded.directory)
        embedded.start()
        assert cli.ok("mongod", "status", **wrong)["running"]
        assert cli.ok("mongod", "stop", **wrong) == {"stopped": True, "used": False}
        assert embedded.status() is None
