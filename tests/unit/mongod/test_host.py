"""What the operating system says about processes and ports."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from pipelinejobs.mongod import host


def test_a_process_until_it_is_gone() -> None:
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()", "--some (odd) word"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as other:
        by_proc, by_ps = host.process_by_proc(other.pid), host.process_by_ps(other.pid)
        assert by_proc is not None
        assert by_ps is not None
        assert " --some (odd) word " in by_proc.command
        assert by_ps.command.split() == by_proc.command.split()
        assert host.process(other.pid) == by_proc
        assert host.process_by_ps(other.pid) == by_ps

        other.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, but not yet buried
        assert host.process_by_proc(other.pid) is None
        assert host.process_by_ps(other.pid) is None
    assert host.process_by_proc(other.pid) is None
    assert host.process_by_ps(other.pid) is None


def test_two_processes_are_told_apart() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        own, others = host.process(os.getpid()), host.process(other.pid)
        assert own is not None
        assert others is not None
        assert own.began != others.began
        assert own == host.process(os.getpid())


def test_a_port_is_free_until_somebody_listens(free_port: int) -> None:
    assert host.is_free(free_port)
    assert not host.listens(free_port, 1.0)
    with socket.create_server((host.LOOPBACK, free_port)):
        assert not host.is_free(free_port)
        assert host.listens(free_port, 1.0)
        assert host.free_port() != free_port


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    host.write_whole(path, "a long old text")
    with path.open() as reader:
        host.write_whole(path, "new")
        assert reader.read() == "a long old text", "whoever reads meanwhile sees all of the old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
