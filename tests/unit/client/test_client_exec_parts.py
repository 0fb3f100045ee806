"""The parts of `exec` that need no process; tests/acceptance/test_client_exec.py has the rest."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipelinejobs import client
from pipelinejobs.client import Job, main
from support.message_samples import JOB, TOKEN
from support.misbehaving import PATH

CALLBACK = f"https://host{PATH}?uuid={JOB}&token={TOKEN}"


class TestProgress:
    @pytest.mark.parametrize(
        ("text", "data"),
        [
            ('{"a": 1,\n "b": [2]}\n', {"a": 1, "b": [2]}),
            ("7", {"progress": 7}),
            (" 0.5\n", {"progress": 0.5}),
            ("10 %\rhalf\r\n", {"message": "half"}),
            ('{"a": 1}\n{"a": 2}\n', {"a": 2}),
            ("step 1\n0.25\n", {"progress": 0.25}),
            ("true", {"message": "true"}),
            ("NaN", {"message": "NaN"}),
            ("1" * 400, {"message": "1" * 400}),
            ("x" * 5000, {"message": "x" * 1000}),
            ("a\x1b[31mb\x00c", {"message": "a?[31mb?c"}),
            ('{"a": 1,\n "b"', None),
            ('{"a": 1}\n{"a"', None),
            ("\n \n", None),
            ("[" * 5000, {"message": "[" * 1000}),
        ],
    )
    def test_is_read_from_whatever_a_file_holds(self, text: str, data: Any) -> None:
        assert client._progress_in(text.encode()) == data

    def test_in_bytes_that_are_no_text(self) -> None:
        data = client._progress_in(b"\xff\xfe up")
        assert data == {"message": "\ufffd\ufffd up"}
        json.dumps(data)

    def test_of_a_large_file_is_at_its_end(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("line\n" * 100_000 + "last\n")
        assert client._progress_in(client._tail(str(tmp_path / "log"))) == {"message": "last"}

    def test_in_something_else_than_a_file_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="not a regular file"):
            client._tail(str(tmp_path / "pipe"))

    def test_does_not_fill_the_spool_while_nothing_can_be_sent(self, tmp_path: Path) -> None:
        job = Job(f"https://host{PATH}", JOB, TOKEN, spool=tmp_path / "spool")
        reporter = client._Reporter(job, print, "")
        reporter._add("run", {})
        last = b""
        for number in range(5):
            (tmp_path / "progress").write_text(str(number))
            last = reporter._look(str(tmp_path / "progress"), last, is_over=False)
        assert [event.name for event, _ in reporter._waiting] == ["run"]
        reporter._look(str(tmp_path / "progress"), last, is_over=True)
        reporter._add("finish", {})
        reporter._add("update", {})
        assert [event.name for event, _ in reporter._waiting] == ["run", "update", "finish"]
        assert len(list((tmp_path / "spool").glob("*.json"))) == 3


class TestTheSpoolOfExec:
    def test_is_in_the_users_directory_for_state(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/user")
        monkeypatch.setenv("XDG_STATE_HOME", "/state")
        assert client._default_spool() == "/state/pipelinejobs/spool"
        monkeypatch.setenv("XDG_STATE_HOME", "relative")
        assert client._default_spool() == "/home/user/.local/state/pipelinejobs/spool"


class TestTheStart:
    def test_is_told_in_text_that_json_can_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: "no\udcffde\n")
        data = client._start_data("/bin/\udcfe")
        assert (data["host"], data["command"]) == ("no?de?", "?")


class TestArguments:
    @pytest.mark.parametrize(
        ("text", "value"),
        [("90", 90), ("0.5", 0.5), ("90s", 90), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("1.5h", 5400)],
    )
    def test_durations(self, text: str, value: float) -> None:
        assert client.seconds(text) == value

    @pytest.mark.parametrize("text", ["", "0", "0s", "-1", "1y", "h", "1h 30m", "nan", "inf", "1e999"])
    def test_texts_that_are_none(self, text: str) -> None:
        with pytest.raises(argparse.ArgumentTypeError, match="seconds, or a duration such as 90s"):
            client.seconds(text)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["exec"], "after --"),
            (["exec", "--"], "after --"),
            (["exec", "--flush", "--", "true"], "--flush"),
            (["exec", "--data", "{}", "--", "true"], "--data"),
            (["exec", "--json", "--", "true"], "--json"),
            (["exec", "--update-every", "5s", "--", "true"], "--progress"),
            (["exec", "--progress", "x", "--later", "--", "true"], "--later"),
            (["run", "--progress", "x"], "takes no --progress"),
            (["run", "--until", "FAILED"], "takes no --until"),
            (["wait", "--later"], "takes no --later"),
        ],
    )
    def test_that_are_wrong(self, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
        assert main([*arguments[:1], "--callback", CALLBACK, *arguments[1:]]) == 2
        assert words in capsys.readouterr().err

    def test_a_command_is_all_that_follows_the_first_dashes(self) -> None:
        parser = client._parser("x")
        assert client._parsed(parser, ["--later", "exec", "--", "a", "--", "--b"])[1] == ["a", "--", "--b"]
        options, command = client._parsed(parser, ["--id", "exec", "--", "run"])
        assert (options.event, options.id, command) == ("run", "exec", [])
