"""A socket passed by systemd, and the notification that the gateway is ready."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipelinejobs.gateway import server
from pipelinejobs.gateway.http import systemd
from pipelinejobs.settings.gateway import GatewaySection
from pipelinejobs.util.errors import WrongSetting


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A descriptor used instead of 3, which this process uses for something else."""
    with socket.socket() as one:
        descriptor = os.dup(one.fileno())
    monkeypatch.setattr(systemd, "_FIRST", descriptor)
    yield descriptor
    with suppress(OSError):  # the socket that was made of it may have closed it
        os.close(descriptor)


def hand(monkeypatch: pytest.MonkeyPatch, pid: int, number: str = "1") -> None:
    """Sets the environment as systemd does."""
    monkeypatch.setenv("LISTEN_PID", str(pid))
    monkeypatch.setenv("LISTEN_FDS", number)


def test_without_systemd_no_socket_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    assert systemd.inherited_socket() is None


def test_a_listening_socket_is_used_instead_of_the_settings(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        os.dup2(listening.fileno(), place)
        hand(monkeypatch, os.getpid())
        with server.listen(GatewaySection(port=1)) as given:
            assert given.getsockname() == listening.getsockname()
            assert not given.get_inheritable()
    assert "LISTEN_FDS" not in os.environ, "a process that this one starts would take it for its own"


def test_a_socket_for_another_process_is_ignored(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    hand(monkeypatch, os.getpid() + 1)
    assert systemd.inherited_socket() is None


@pytest.mark.parametrize("number", ["0", "2", "x", ""])
def test_several_sockets_are_refused(monkeypatch: pytest.MonkeyPatch, place: int, number: str) -> None:
    hand(monkeypatch, os.getpid(), number)
    with pytest.raises(WrongSetting, match="LISTEN_FDS"):
        systemd.inherited_socket()


def test_a_socket_that_does_not_listen_is_refused(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    hand(monkeypatch, os.getpid())
    with pytest.raises(WrongSetting, match="LISTEN_FDS"):
        systemd.inherited_socket()


def test_a_descriptor_that_is_no_socket_is_refused(monkeypatch: pytest.MonkeyPatch, place: int, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        os.dup2(file.fileno(), place)
    hand(monkeypatch, os.getpid())
    with pytest.raises(WrongSetting, match="LISTEN_FDS"):
        systemd.inherited_socket()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_notified_when_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, abstract: bool) -> None:
    path = f"pipelinejobs-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{path}" if abstract else path)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)
        systemd.notify_ready()
        assert listening.recv(100) == b"READY=1"


def test_a_missing_service_manager_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.notify_ready()
