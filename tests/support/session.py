"""A test session as a process among others: hooks of pytest, which `conftest.py` takes in.

What it is started with must not decide what its tests see. A background job of a shell ignores SIGINT and one of
`nohup` SIGHUP, and every child would ignore them, too: a test that presses Ctrl-C would wait for ever.

What it starts must end with it. Its temporary directory is its own, and a session that leaves anything in there, or a
process, has failed, whatever its tests say.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

_PYTHONS: Final = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python itself ignores these, and `subprocess` sets them back."""

_PATIENCE_SECONDS = 60
"""How long what was told to end may take."""

_ignored: Final = pytest.StashKey[list[int]]()
_directory: Final = pytest.StashKey[Path]()


@pytest.hookimpl(trylast=True)  # pytest's own directory has to be there
def pytest_configure(config: pytest.Config) -> None:
    """Sets the signals and the temporary directory of this process and of its children."""
    # The session goes on ignoring what it was told to, by a handler: other programs do not inherit that.
    passed_on: list[int] = _workerinput(config).get("ignored_signals", [])
    ignored = [int(number) for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN]
    ignored += passed_on
    config.stash[_ignored] = ignored
    for number in set(ignored) - _PYTHONS:
        signal.signal(number, lambda *_: None)
    if not _workerinput(config):
        base: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # no fixtures as yet
        config.stash[_directory] = base / "TMPDIR"
        config.stash[_directory].mkdir()
        os.environ["TMPDIR"] = str(config.stash[_directory])
        tempfile.tempdir = None  # it is found out again


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of xdist, which starts with the handlers of any other program."""
    node.workerinput["ignored_signals"] = node.config.stash[_ignored]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the session where it leaves something behind."""
    if _workerinput(session.config):
        return
    directory = session.config.stash[_directory]
    end = time.monotonic() + _PATIENCE_SECONDS
    while (left := [*_files(directory), *_processes(directory.parent)]) and time.monotonic() < end:
        time.sleep(0.1)
    shutil.rmtree(directory)
    if left:
        reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line("")
        for line in left:
            reporter.write_line(f"LEFT BEHIND: {line}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _workerinput(config: pytest.Config) -> dict[str, Any]:
    """The input of an xdist worker from its controller; empty in other processes."""
    given: dict[str, Any] = getattr(config, "workerinput", {})
    return given


def _files(directory: Path) -> Iterable[str]:
    return sorted(map(str, directory.iterdir()))


def _processes(base: Path) -> Iterable[str]:
    """Processes, other than this one, that have the session's directory on their command line or as `TMPDIR`."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or belongs to another user
            command = (entry / "cmdline").read_bytes()
            variables = (entry / "environ").read_bytes().split(b"\0")
            tmpdir = f"TMPDIR={base}/".encode()
            is_ours = f"{base}/".encode() in command or any(one.startswith(tmpdir) for one in variables)
            if is_ours and command and int(entry.name) != os.getpid():
                yield f"process {entry.name}: {command.replace(bytes(1), b' ').decode(errors='replace')}"
