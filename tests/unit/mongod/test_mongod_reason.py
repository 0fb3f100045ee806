"""What the log of the embedded mongod says about a failed start."""

import json
from pathlib import Path

import pytest

from pipelinejobs.mongod.log_reason import reason_in


def line(severity: str, message: str, **attributes: object) -> str:
    return json.dumps({"s": severity, "msg": message, "attr": attributes}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mongod.log"


def test_the_first_error_is_the_reason(log: Path) -> None:
    log.write_text(line("I", "hello") + line("E", "cause", error="x") + line("F", "consequence") + "a trace\n")
    assert reason_in(log) == 'cause {"error": "x"}'


def test_without_an_error_the_last_line_is_the_reason(log: Path) -> None:
    log.write_text(line("I", "hello") + line("I", "bye"))
    assert reason_in(log) == line("I", "bye").strip()


@pytest.mark.parametrize("text", ["terminate called\n", '[1]\n{"t": 1}\nterminate called\n'])
def test_lines_in_another_form_are_shown(log: Path, text: str) -> None:
    log.write_text(text)
    assert reason_in(log) == "terminate called"


def test_an_empty_or_missing_log(log: Path) -> None:
    assert reason_in(log) is None, "mongod never spoke: it could not be loaded"
    log.write_text("")
    assert reason_in(log) == "the log is empty"


def test_a_reason_is_short_and_bytes_of_any_kind_are_read(log: Path) -> None:
    log.write_bytes(b"\xff" * 100_000)
    assert len(reason_in(log) or "") == 500
