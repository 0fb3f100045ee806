"""The embedded mongod: processes share one server, data and port are kept, and no other process is ever signalled."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern

from pipelinejobs.mongod import Mongod, Running, find, host, locks
from pipelinejobs.util.errors import WrongSetting

pytestmark = pytest.mark.usefixtures("nothing_left")
ROOT = Path(__file__).resolve().parents[3]

STARTER = """
import dataclasses, json, sys
from pathlib import Path
from pipelinejobs.mongod import Mongod
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(dataclasses.asdict(Mongod(Path(sys.argv[1])).start(deadline=60))), flush=True)
"""


def starters(number: int, directory: Path, program: str = STARTER) -> list[subprocess.Popen[str]]:
    """Processes that are ready to start the server at the same moment."""
    ready = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(directory)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    for starter in ready:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    return ready


def begin(starter: subprocess.Popen[str]) -> None:
    """Makes one of them start the server."""
    assert starter.stdin is not None
    starter.stdin.write("\n")
    starter.stdin.flush()


@contextmanager
def collection(running: Running) -> Iterator[Any]:
    """A collection of that server, every write to which is journaled."""
    with MongoClient[dict[str, Any]](running.uri, timeoutMS=10_000) as client:
        yield client["kept"].get_collection("things", write_concern=WriteConcern(w=1, j=True))


@contextmanager
def bystander(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another program's process, with these words on its command line; it must be alive at the end."""
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()", *arguments, ""]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as process:
        try:
            yield process
            assert process.poll() is None, "it was signalled"
        finally:
            assert process.stdin is not None
            process.stdin.close()


def ended(pid: int) -> bool:
    """Whether this process ends within a minute; a zombie counts as ended."""
    stat = Path(f"/proc/{pid}/stat")
    for _ in range(600):
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


def test_start_join_stop(embedded: Mongod) -> None:
    assert embedded.status() is None
    first = embedded.start()
    assert first.fresh
    assert first.uri == f"mongodb://127.0.0.1:{first.port}/"
    with collection(first) as things:
        things.insert_one({"_id": 1})

    joined = Mongod(embedded.directory).start()
    assert not joined.fresh
    assert (joined.pid, joined.port, joined.uri) == (first.pid, first.port, first.uri)
    assert embedded.status() == joined

    assert embedded.stop()
    assert ended(first.pid)
    assert embedded.status() is None
    assert not embedded.stop()

    again = embedded.start()
    assert again.fresh
    assert again.port == first.port
    with collection(again) as things:
        assert things.find_one() == {"_id": 1}


def test_it_is_the_same_server_by_whatever_path(embedded: Mongod, tmp_path: Path) -> None:
    first = embedded.start()
    (tmp_path / "a link").symlink_to(embedded.directory)
    assert Mongod(tmp_path / "a link").start().pid == first.pid


def test_a_path_with_blanks_and_signs(tmp_path: Path) -> None:
    odd = Mongod(tmp_path / "it's $HOME; (a+b) é")
    try:
        assert odd.start().pid == odd.start().pid
    finally:
        assert odd.stop()


def test_only_this_machine_can_reach_it_and_it_leaves_no_socket_file(embedded: Mongod) -> None:
    running = embedded.start()
    with MongoClient[dict[str, Any]](running.uri) as client:
        net = client.admin.command("getCmdLineOpts")["parsed"]["net"]
    assert net["bindIp"] == "127.0.0.1"
    assert not Path(f"/tmp/mongodb-{running.port}.sock").exists()


def test_ten_starters_at_once_share_one_server(embedded: Mongod) -> None:
    ready = starters(10, embedded.directory)  # none begins before all are
    for starter in ready:
        begin(starter)
    answers = [json.loads(starter.communicate()[0]) for starter in ready]

    assert len({(answer["pid"], answer["port"]) for answer in answers}) == 1
    assert [answer["fresh"] for answer in answers].count(True) == 1
    status = embedded.status()
    assert status is not None, "it did not survive the process that started it"
    assert status.pid == answers[0]["pid"]


def test_it_is_detached_and_holds_nothing_of_its_starter(embedded: Mongod) -> None:
    readable, writable = os.pipe()
    try:
        os.set_inheritable(writable, True)
        running = embedded.start()
    finally:
        os.close(writable)
    with open(readable, "rb", buffering=0) as reader:  # noqa: PTH123 - a descriptor, not a path
        os.set_blocking(reader.fileno(), False)
        assert reader.read() == b"", "None would mean that mongod holds the other end"
    descriptors = [Path(f"/proc/{running.pid}/fd/{number}") for number in (0, 1, 2)]
    assert os.getsid(running.pid) != os.getsid(0)
    assert str(descriptors[0].readlink()) == os.devnull
    assert {str(descriptor.readlink()) for descriptor in descriptors[1:]} <= {os.devnull, str(embedded.log)}


@pytest.mark.promise("F17")
def test_after_kill_9_the_data_and_the_port_are_kept(embedded: Mongod) -> None:
    first = embedded.start()
    with collection(first) as things:
        things.insert_one({"_id": "kept"})
    os.kill(first.pid, signal.SIGKILL)

    again = embedded.start()  # at once: the dying one may hold the port and the data for a moment more
    assert again.fresh
    assert again.pid != first.pid
    assert again.port == first.port
    with collection(again) as things:
        assert things.find_one() == {"_id": "kept"}


@contextmanager
def orphan(embedded: Mongod) -> Iterator[int]:
    """Starts a mongod on the data whose starter has ended; gives its pid."""
    embedded.data.mkdir(parents=True)
    port = host.free_port()
    (embedded.directory / "port").write_text(str(port))
    options = ["--dbpath", str(embedded.data), "--port", str(port), "--nounixsocket", "--logpath", str(embedded.log)]
    with subprocess.Popen([str(find()), *options]) as process:
        while not locks.is_held(embedded.data / "mongod.lock"):
            time.sleep(0.001)
        try:
            yield process.pid
        finally:
            process.kill()


def test_a_server_whose_starter_was_killed_is_joined(embedded: Mongod) -> None:
    with orphan(embedded) as pid:
        joined = embedded.start()
        assert not joined.fresh
        assert joined.pid == pid
        embedded.stop()
        assert ended(pid)


def test_a_server_that_is_only_starting_is_stopped(embedded: Mongod) -> None:
    with orphan(embedded) as pid:
        assert embedded.stop()
        assert ended(pid)


def test_one_that_is_about_to_be_gone_is_waited_for(embedded: Mongod, monkeypatch: pytest.MonkeyPatch) -> None:
    first, really = embedded.start(), locks.is_held
    embedded.stop()
    seen = iter([True] * 3)  # it has closed its data, and not yet given up its own lock
    monkeypatch.setattr(locks, "is_held", lambda path: next(seen, False) or really(path))
    assert embedded.start().fresh
    assert next(seen, None) is None, "the new one was started while the old one still held the data"
    assert ended(first.pid)


def test_a_pid_that_is_written_down_somewhere_is_not_believed(embedded: Mongod) -> None:
    with bystander("--dbpath", str(embedded.data), "--port", "27017") as other:
        embedded.data.mkdir(parents=True)
        (embedded.data / "mongod.lock").write_text(f"{other.pid}\n")  # as one leaves it that was killed
        (embedded.data / "WiredTiger.lock").touch()
        assert embedded.status() is None
        assert not embedded.stop()
        running = embedded.start()
        assert running.fresh
        assert running.pid != other.pid


def test_a_server_that_cannot_be_seen_is_left_alone(embedded: Mongod, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded.start()
    with monkeypatch.context() as patched:
        patched.setattr(locks, "holder", lambda _: 0)  # as the kernel says of one in another container
        for use in (embedded.start, embedded.stop, embedded.status):
            with pytest.raises(WrongSetting, match="another container"):
                use()
    assert embedded.status() is not None


def test_an_interrupt_while_it_starts_leaves_none(embedded: Mongod, monkeypatch: pytest.MonkeyPatch) -> None:
    really = subprocess.run

    def interrupted(*arguments: Any, **options: Any) -> None:
        with suppress(subprocess.TimeoutExpired):
            really(*arguments, **{**options, "timeout": 0.01})
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        embedded.start()
    monkeypatch.undo()
    assert embedded.status() is None
    assert embedded.start().fresh


def test_the_log_of_the_run_before_is_kept(embedded: Mongod) -> None:
    embedded.start()
    embedded.stop()
    before = embedded.log.read_text()
    embedded.start()
    assert embedded.log.with_name("mongod.log.old").read_text() == before


def test_a_port_taken_by_another_program_is_left_to_it(embedded: Mongod) -> None:
    first = embedded.start()
    with collection(first) as things:
        things.insert_one({"_id": 1})
    embedded.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        moved = embedded.start()
        assert moved.port != first.port
        with collection(moved) as things:
            assert things.find_one() == {"_id": 1}
        embedded.stop()
    assert embedded.start().port == moved.port, "the new port is the one that is kept"


def test_a_port_taken_at_the_last_moment(embedded: Mongod, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embedded.start()
    embedded.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        monkeypatch.setattr(host, "is_free", lambda _: True)  # as it looked just before
        moved = embedded.start()
        assert moved.fresh
        assert moved.port != first.port


def test_another_mongod_on_the_port_is_not_taken_for_ours(
    embedded: Mongod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Mongod(tmp_path / "other")
    try:
        foreign = other.start()
        embedded.directory.mkdir()
        (embedded.directory / "port").write_text(str(foreign.port))
        monkeypatch.setattr(host, "is_free", lambda _: True)
        assert embedded.start().port != foreign.port
        assert other.status() is not None
    finally:
        other.stop()


class TestUsers:
    """Users of the server: if it was started for them, it ends with the last one."""

    @pytest.fixture
    def another(self, embedded: Mongod) -> Mongod:
        """The server as another process sees it: with its own lock."""
        return Mongod(embedded.directory)

    def test_it_ends_with_the_last(self, embedded: Mongod, another: Mongod) -> None:
        first, second = embedded.use(), another.use()
        assert (first.fresh, second.fresh) == (True, False)
        assert not embedded.leave()
        assert embedded.status() is not None
        assert another.leave()
        assert embedded.status() is None
        assert not another.leave()

    def test_a_user_that_has_left_may_come_again(self, embedded: Mongod, another: Mongod) -> None:
        embedded.use()
        another.use()
        assert not embedded.leave()
        assert not embedded.use().fresh
        assert not another.leave()
        assert embedded.leave()

    def test_one_that_was_started_otherwise_goes_on(self, embedded: Mongod, another: Mongod) -> None:
        embedded.start()
        assert not another.use().fresh
        assert not another.leave()
        assert embedded.status() is not None

    def test_one_that_was_started_anew_is_not_theirs(self, embedded: Mongod, another: Mongod) -> None:
        another.use()
        assert embedded.stop()
        embedded.start()
        assert not another.leave()
        assert embedded.status() is not None

    def test_it_is_known_whether_there_are_any(self, embedded: Mongod, another: Mongod) -> None:
        assert not embedded.is_used()
        another.use()
        assert embedded.is_used()
        another.leave()
        assert not embedded.is_used()

    def test_a_command_meanwhile_does_not_make_it_stay(self, embedded: Mongod, another: Mongod) -> None:
        another.use()
        assert not embedded.start().fresh
        assert another.leave()

    def test_those_that_are_killed_are_users_no_more(self, embedded: Mongod) -> None:
        program = STARTER.replace(".start(", ".use(") + "sys.stdin.readline()\n"
        users = starters(2, embedded.directory, program)
        for user in users:
            begin(user)
            assert user.stdout is not None
            assert json.loads(user.stdout.readline())["pid"]
        embedded.use()
        for user in users:
            user.kill()
            user.communicate()
        assert embedded.status() is not None
        assert embedded.leave()

    def test_where_all_were_killed_the_next_ends_it(self, embedded: Mongod) -> None:
        program = "import os, sys; from pathlib import Path; from pipelinejobs.mongod import Mongod\n"
        program += "Mongod(Path(sys.argv[1])).use(60); os.kill(os.getpid(), 9)"
        subprocess.run([sys.executable, "-c", program, str(embedded.directory)], cwd=ROOT, check=False)
        assert embedded.status() is not None
        assert not embedded.use().fresh
        assert embedded.leave()

    def test_a_directory_that_is_gone(self, embedded: Mongod) -> None:
        assert not embedded.leave()
