"""The errors if the embedded mongod cannot be started, or does not answer."""

import os
import signal
from pathlib import Path

import pytest

from pipelinejobs.mongod import Mongod
from pipelinejobs.util.errors import Unavailable, WrongSetting

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.promise("F17")]


def test_a_frozen_server_is_unavailable_and_is_stopped_by_force(embedded: Mongod) -> None:
    running = embedded.start()
    os.kill(running.pid, signal.SIGSTOP)
    with pytest.raises(Unavailable) as refusal:
        embedded.start(deadline=0.5)
    assert str(embedded.log) in refusal.value.reason
    os.kill(running.pid, signal.SIGCONT)
    assert embedded.start().pid == running.pid, "it was left alone"

    os.kill(running.pid, signal.SIGSTOP)
    assert embedded.stop(deadline=0.2)
    assert embedded.status() is None


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    below = Mongod(tmp_path / "file" / "mongod")
    with pytest.raises(WrongSetting) as refusal:
        below.start()
    assert refusal.value.setting == "mongodb.embedded_directory"
    assert str(below.directory) in refusal.value.reason
    assert "Not a directory" in refusal.value.reason
    assert below.status() is None
    assert not below.stop()


def test_a_log_that_cannot_be_written(embedded: Mongod) -> None:
    before = embedded.directory / "mongod.log.old"
    before.mkdir(parents=True)
    (before / "in the way").touch()
    embedded.log.touch()
    with pytest.raises(WrongSetting) as refusal:
        embedded.start()
    assert refusal.value.setting == "mongodb.embedded_directory"


def test_damaged_data_are_reported_with_the_reason_and_the_log(embedded: Mongod) -> None:
    embedded.data.mkdir(parents=True)
    (embedded.data / "WiredTiger.turtle").write_text("spoilt")
    (embedded.data / "WiredTiger.wt").write_text("spoilt")
    with pytest.raises(WrongSetting) as refusal:
        embedded.start(deadline=60)
    assert refusal.value.setting == "mongodb.embedded_directory"
    assert str(embedded.log) in refusal.value.reason
    assert "corruption" in refusal.value.reason
    assert embedded.status() is None


def test_a_mongod_that_cannot_run_here(embedded: Mongod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bin" / "mongod"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'libcurl.so.4: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    embedded.directory.mkdir()
    embedded.log.write_text('{"s": "E", "msg": "an error of an earlier run"}\n')
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(WrongSetting) as refusal:
        embedded.start()
    assert refusal.value.setting == "mongodb"
    assert "earlier run" not in refusal.value.reason
    for part in (str(broken), "libcurl.so.4"):
        assert part in refusal.value.reason


def test_a_mongod_that_is_no_program(embedded: Mongod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bin" / "mongod"
    broken.parent.mkdir()
    broken.write_bytes(b"\x7fELF and nothing more")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(WrongSetting, match="cannot run here: Exec format error") as refusal:
        embedded.start()
    assert refusal.value.setting == "mongodb"


def test_a_server_of_another_user_is_named(embedded: Mongod, monkeypatch: pytest.MonkeyPatch) -> None:
    running = embedded.start()

    def refused(pid: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", refused)
        with pytest.raises(WrongSetting, match=rf"its mongod \(pid {running.pid}\) belongs to another user"):
            embedded.stop()
    assert embedded.status() is not None
