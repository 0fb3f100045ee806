"""What the log of the embedded mongod says about a failed start."""

import json
from pathlib import Path

import pytest

from pipelinejobs.mongod import server_log


def line(severity: str, message: str, **attributes: object) -> str:
    return json.dumps({"s": severity, "msg": message, "attr": attributes}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mongod.log"


def test_the_first_error_of_this_run_is_the_reason(log: Path) -> None:
    log.write_text(line("E", "an earlier run"))
    offset = server_log.opened(log)
    with log.open("a") as more:
        more.write(line("I", "hello") + line("E", "cause", error="x") + line("F", "consequence") + "a trace\n")
    assert server_log.last_words(log, offset) == server_log.LastWords('cause {"error": "x"}', by_mongod=True)
    assert server_log.last_line(log) == "a trace"


def test_without_an_error_the_last_line_is_the_reason(log: Path) -> None:
    log.write_text(line("I", "hello") + line("I", "bye"))
    assert server_log.last_words(log, 0) == server_log.LastWords(line("I", "bye").strip(), by_mongod=True)


@pytest.mark.parametrize("text", ["cannot load a library\n", '[1]\n{"t": 1}\ncannot load a library\n'])
def test_what_others_say_is_shown_and_told_apart(log: Path, text: str) -> None:
    log.write_text(text)
    assert server_log.last_words(log, 0) == server_log.LastWords("cannot load a library", by_mongod=False)


def test_silence(log: Path) -> None:
    assert server_log.last_words(log, 0).text == "it said nothing"
    assert server_log.last_line(log) == "(none)"
    assert server_log.opened(log) == 0
    assert server_log.last_words(log, 0).text == "it said nothing"


def test_a_reason_is_short_and_bytes_of_any_kind_are_read(log: Path) -> None:
    log.write_bytes(b"\xff" * 100_000)
    assert len(server_log.last_words(log, 0).text) == 500
    assert len(server_log.last_line(log)) == 500


def test_a_long_log_is_put_aside(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_log, "LONGEST_BYTES", 10)
    log.write_text("x" * 10)
    assert server_log.opened(log) == 10
    log.write_text("x" * 11)
    assert server_log.opened(log) == 0
    assert log.with_name("mongod.log.old").read_text() == "x" * 11
