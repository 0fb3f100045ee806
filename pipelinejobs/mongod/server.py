"""The embedded MongoDB: a standalone mongod whose data and files are in one directory.

    data/   the database files           mongod.log   the log of mongod; mongod.log.old is the log of the run before
    port    the port of the server       lock         locked by the process that starts or stops the server
    users   locked, shared, by each gateway that uses the server

The server listens only on 127.0.0.1, needs no password, and goes on after the process that started it has ended. If it
was started by `use`, it ends with the last of its users. There is no pid file, which could be out of date: mongod is
the process that holds WiredTiger's lock on the data.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelinejobs.mongod import host, locks
from pipelinejobs.mongod.binary import find
from pipelinejobs.mongod.log_reason import SHOWN, reason_in
from pipelinejobs.util.errors import Unavailable, WrongSetting

DIRECTORY_SETTING: Final = "mongodb.embedded_directory"
START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 15.0
_KILL_SECONDS: Final = 5.0
_PING_SECONDS: Final = 2.0
_PORT_SECONDS: Final = 1.0
_NAMING_SECONDS: Final = 1.0
_PORT_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Running:
    """A running server.

    Attributes:
        uri, port, pid: its connection string, its port on 127.0.0.1, and its process.
        fresh: whether this call started it; False if it was running already.
    """

    uri: str
    port: int
    pid: int
    fresh: bool


class Mongod:
    """The embedded server of one directory. The first start makes the directory.

    Processes that use the same directory share one server.
    """

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory.resolve()  # mongod reports its path as given, and `_pings` compares it
        self.data: Final = self.directory / "data"
        self.log: Final = self.directory / "mongod.log"
        self._port: Final = self.directory / "port"
        self._lock: Final = self.directory / "lock"
        self._users: Final = locks.Users(self.directory / "users")

    def start(self, deadline: float = START_SECONDS) -> Running:
        """Starts the server, or finds the running one; returns when it answers. `deadline` is in seconds.

        Raises:
            WrongSetting: there is no mongod, the directory cannot be used, or mongod ends at once.
            Unavailable: it does not answer in time. It goes on starting, because it may be repairing its data: call
                `start` again, or `stop`.
        """
        until = time.monotonic() + deadline
        with self._made(until):
            return self._started(until, for_users=False)

    def use(self, deadline: float = START_SECONDS) -> Running:
        """As `start`, for a resident process: if this call starts the server, the server ends with its last user.

        This process is a user until it calls `leave` or ends. If the last user is killed, the server goes on until
        another user leaves.
        """
        until = time.monotonic() + deadline
        with self._made(until):
            running = self._started(until, for_users=True)
            self._users.join()
            return running

    def leave(self, deadline: float = STOP_SECONDS) -> bool:
        """Ends the use by this process, and stops the server if this was its last user. Returns whether it did.

        A server that was started by `start` is not stopped. Raises the same errors as `stop`.
        """
        with self._found(deadline) as there:
            return there and self._users.leave() and self._ended(deadline)

    def is_used(self) -> bool:
        """Whether a gateway uses the server. It answers 503 while the server is stopped."""
        with self._found(0.0) as there:
            return there and locks.is_held(self.directory / "users")

    def stop(self, deadline: float = STOP_SECONDS) -> bool:
        """Stops the server: SIGTERM, and SIGKILL after `deadline` seconds. Returns whether one was running.

        Raises:
            WrongSetting: it belongs to another user.
            Unavailable: it does not end.
        """
        with self._found(deadline) as there:
            return there and self._ended(deadline)

    def status(self) -> Running | None:
        """The running server, which may still be starting; None if there is none. Changes nothing."""
        with self._named_trouble():
            pid = self._pid()
            return None if pid is None else self._running(pid, fresh=False)

    @contextmanager
    def _found(self, seconds: float) -> Iterator[bool]:
        """Locks the directory if it exists, and gives whether it does.

        Waits for another process that starts the server, and `seconds` more.
        """
        with self._named_trouble():
            if not self.directory.is_dir():
                yield False
                return
            with locks.held(self._lock, time.monotonic() + START_SECONDS + seconds):
                yield True

    @contextmanager
    def _made(self, until: float) -> Iterator[None]:
        """Makes the directory if necessary, and locks it."""
        with self._named_trouble():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data.mkdir(mode=0o700, exist_ok=True)
            with locks.held(self._lock, until):
                yield

    @contextmanager
    def _named_trouble(self) -> Iterator[None]:
        """Turns errors of the file system into a WrongSetting that names the directory."""
        try:
            yield
        except OSError as error:
            problem = f"{self.directory} cannot be used: {error.strerror or error}"
            raise WrongSetting(DIRECTORY_SETTING, problem) from error

    def _pid(self) -> int | None:
        """The process that has the data open; None if there is none."""
        pid = locks.holder(self.data / "WiredTiger.lock")
        if pid is not None and pid <= 0:
            raise WrongSetting(DIRECTORY_SETTING, f"a mongod of another container or machine uses {self.directory}")
        return pid

    def _is_there(self) -> bool:
        """Whether a mongod uses the data. While it starts or ends, it holds only its own lock, not WiredTiger's.

        Call it only while the directory is locked, because testing mongod's own lock can disturb a start.
        """
        return self._pid() is not None or locks.is_held(self.data / "mongod.lock")

    def _running(self, pid: int, *, fresh: bool) -> Running:
        port = self._kept_port()
        return Running(f"mongodb://{host.LOOPBACK}:{port}/", port, pid, fresh)

    def _started(self, until: float, *, for_users: bool) -> Running:
        """Starts or finds the server, and waits until it answers. `until` is a monotonic time."""
        while self._is_there():  # if it ends meanwhile, it is started below
            if time.monotonic() > until:
                raise self._late()
            pid, patience = self._pid(), min(max(until - time.monotonic(), 0.01), _PING_SECONDS)
            if pid is not None and self._pings(self._kept_port(), patience):
                return self._running(pid, fresh=False)
            time.sleep(locks.POLL_SECONDS)
        self._users.started(for_users=for_users)
        try:
            self._launch(until)
        except KeyboardInterrupt:
            began = time.monotonic()
            while not self._is_there() and time.monotonic() - began < _NAMING_SECONDS:
                time.sleep(locks.POLL_SECONDS)  # mongod locks its data a moment after its start
            self._ended(STOP_SECONDS)
            raise
        pid = self._pid()
        if pid is None:
            raise WrongSetting(DIRECTORY_SETTING, f"the embedded mongod ended at once; see {self.log}")
        return self._running(pid, fresh=True)

    def _launch(self, until: float) -> None:
        """Starts a server and waits until it answers: first on the port of the last run, then on others."""
        binary, port = find(), self._kept_port()
        for _ in range(_PORT_TRIES):
            if not port or not self._is_free_soon(port):
                port = host.free_port()
            self._port.write_text(str(port))
            if self.log.exists():
                self.log.replace(self.log.with_name("mongod.log.old"))
            ended = self._spawn(binary, port, until)
            if ended.returncode == 0:
                return
            reason = reason_in(self.log)
            if reason is None:  # mongod could not be loaded: a library or a processor feature is missing
                raise WrongSetting("mongodb", f"{binary} cannot run here: {ended.stdout.strip()[:SHOWN]}")
            if "Address already in use" not in reason:
                problem = f"the embedded mongod ended while starting: {reason}; see {self.log}"
                raise WrongSetting(DIRECTORY_SETTING, problem)
            port = 0  # another program took the port after the check
        raise WrongSetting("mongodb", f"no free port was found in {_PORT_TRIES} attempts; see {self.log}")

    def _spawn(self, binary: Path, port: int, until: float) -> subprocess.CompletedProcess[str]:
        """Starts mongod in the background, without file descriptors of this process; returns when it answers."""
        options = ["--fork", "--logpath", str(self.log), "--dbpath", str(self.data), "--port", str(port)]
        options += ["--bind_ip", host.LOOPBACK, "--nounixsocket", "--quiet", "--wiredTigerCacheSizeGB", "0.25"]
        options += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        try:
            return subprocess.run(  # noqa: S603 - the arguments are made here
                [str(binary), *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                umask=0o077,
                timeout=max(until - time.monotonic(), 0.01),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._late() from None
        except OSError as error:
            raise WrongSetting("mongodb", f"{binary} cannot run here: {error.strerror}") from None

    def _is_free_soon(self, port: int) -> bool:
        """Whether the port is free within a second. A server that was just killed may hold it a moment longer."""
        until = time.monotonic() + _PORT_SECONDS
        while not host.is_free(port):
            if time.monotonic() > until:
                return False
            time.sleep(locks.POLL_SECONDS)
        return True

    def _pings(self, port: int, seconds: float) -> bool:
        """Whether the mongod of these data answers there. Another mongod may have taken the port."""
        if not host.listens(port, seconds):
            return False
        from pymongo import MongoClient  # slow to import, and needed only here
        from pymongo.errors import PyMongoError

        client: MongoClient[dict[str, object]] = MongoClient(
            host.LOOPBACK, port, directConnection=True, timeoutMS=max(1, int(seconds * 1000))
        )
        try:
            options = client.admin.command("getCmdLineOpts")
        except PyMongoError:
            return False
        finally:
            client.close()
        return bool(options["parsed"].get("storage", {}).get("dbPath") == str(self.data))

    def _ended(self, deadline: float) -> bool:
        """Ends the server and waits for its end. Returns whether there was one."""
        if not self._is_there():
            return False
        for number, seconds in ((signal.SIGTERM, deadline), (signal.SIGKILL, _KILL_SECONDS)):
            until, asked = time.monotonic() + seconds, None
            while self._is_there() and time.monotonic() < until:
                pid = self._pid()
                if pid is not None and pid != asked:  # the pid of a starting mongod is known a moment later
                    asked = pid
                    self._signal(pid, number)
                time.sleep(locks.POLL_SECONDS)
            if not self._is_there():
                self._is_free_soon(self._kept_port())
                return True
        raise Unavailable(f"the embedded mongod (pid {self._pid()}) does not end; see {self.log}")

    def _signal(self, pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except PermissionError:
            raise WrongSetting(DIRECTORY_SETTING, f"its mongod (pid {pid}) belongs to another user") from None
        except ProcessLookupError:
            return

    def _kept_port(self) -> int:
        """The port of the last run; 0 if there was none."""
        try:
            port = int(self._port.read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return port if 0 < port < 65536 else 0

    def _late(self) -> Unavailable:
        return Unavailable(
            f"the embedded mongod (pid {self._pid()}, port {self._kept_port()}) did not answer in time; it is still "
            f"starting, so try again; see {self.log}"
        )
