"""The embedded MongoDB of a laptop: a standalone mongod that is kept, with its data, in one directory.

    data/   the database files                    mongod.log   what mongod says; of the run before: mongod.log.old
    port    the port that goes with these data    lock         held by the process that starts or stops the server
    users   held, shared, by each process that serves with it

It listens on 127.0.0.1 alone, asks for no password, and goes on when the process that started it ends; a server that
was started to be used ends with the last of its users. No file says which process it is: it is the one that holds
WiredTiger's lock on the data, so that no stale pid is ever believed.
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
    """A server that runs. `fresh` is true when this very call started it, false when it ran already."""

    uri: str
    port: int
    pid: int
    fresh: bool


class Mongod:
    """The embedded server of one directory, which is made when it is first started.

    Any number of processes may use the same directory at once: they share one server.
    """

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory.resolve()  # mongod reports the path that it was given
        self.data: Final = self.directory / "data"
        self.log: Final = self.directory / "mongod.log"
        self._port: Final = self.directory / "port"
        self._lock: Final = self.directory / "lock"
        self._users: Final = locks.Users(self.directory / "users")

    def start(self, deadline: float = START_SECONDS) -> Running:
        """Start the server, or join the one that runs; returns when it answers. `deadline` is in seconds.

        Raises WrongSetting when there is no mongod, the directory cannot be used or mongod ends at once, and
        Unavailable when it does not answer in time. Then it is left to go on, since it may be repairing its
        data: call again, or `stop()`.
        """
        until = time.monotonic() + deadline
        with self._made(until):
            return self._started(until, for_users=False)

    def use(self, deadline: float = START_SECONDS) -> Running:
        """As `start`, for a process that lives for long: where this starts the server, it ends with its last user.

        This process is a user until it calls `leave` or ends, however that comes. Where the last one was killed, the
        server goes on, until the next that uses it leaves.
        """
        until = time.monotonic() + deadline
        with self._made(until):
            running = self._started(until, for_users=True)
            self._users.join()
            return running

    def leave(self, deadline: float = STOP_SECONDS) -> bool:
        """This process does not use the server any more; returns whether it was the last, and so stopped it.

        Never stops a server that was started by `start`. Raises what `stop` raises.
        """
        with self._found(deadline) as there:
            return there and self._users.leave() and self._ended(deadline)

    def is_used(self) -> bool:
        """Whether a gateway serves with it, which answers 503 from when it is stopped until it is started again."""
        with self._found(0.0) as there:
            return there and locks.is_held(self.directory / "users")

    def stop(self, deadline: float = STOP_SECONDS) -> bool:
        """Stop the server: ask, wait `deadline` seconds, then force. Returns whether one ran.

        Raises WrongSetting when it belongs to another user, and Unavailable when it cannot be ended.
        """
        with self._found(deadline) as there:
            return there and self._ended(deadline)

    def status(self) -> Running | None:
        """The server that runs, or None. It may still be starting. Changes nothing."""
        with self._named_trouble():
            pid = self._pid()
            return None if pid is None else self._running(pid, fresh=False)

    @contextmanager
    def _found(self, seconds: float) -> Iterator[bool]:
        """The directory as it is, and locked where it is there; whether it is.

        Another process may keep the lock for a start, and for so many seconds more.
        """
        with self._named_trouble():
            if not self.directory.is_dir():
                yield False
                return
            with locks.held(self._lock, time.monotonic() + START_SECONDS + seconds):
                yield True

    @contextmanager
    def _made(self, until: float) -> Iterator[None]:
        """The directory, there and locked."""
        with self._named_trouble():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data.mkdir(mode=0o700, exist_ok=True)
            with locks.held(self._lock, until):
                yield

    @contextmanager
    def _named_trouble(self) -> Iterator[None]:
        """Turn what the file system refuses into a WrongSetting that names the directory."""
        try:
            yield
        except OSError as error:
            problem = f"{self.directory} cannot be used: {error.strerror or error}"
            raise WrongSetting(DIRECTORY_SETTING, problem) from error

    def _pid(self) -> int | None:
        """The process that has the data open; None when there is none."""
        pid = locks.holder(self.data / "WiredTiger.lock")
        if pid is not None and pid <= 0:
            raise WrongSetting(DIRECTORY_SETTING, f"a mongod of another container or machine uses {self.directory}")
        return pid

    def _is_there(self) -> bool:
        """Whether a mongod lives on the data. One that starts or ends has its own lock only, not WiredTiger's.

        Asked only while the directory is locked, since looking at mongod's own lock can get in the way of a start.
        """
        return self._pid() is not None or locks.is_held(self.data / "mongod.lock")

    def _running(self, pid: int, *, fresh: bool) -> Running:
        port = self._kept_port()
        return Running(f"mongodb://{host.LOOPBACK}:{port}/", port, pid, fresh)

    def _started(self, until: float, *, for_users: bool) -> Running:
        """The server, which answers. `until` is a monotonic time."""
        while self._is_there():  # else it was killed, or its starter
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
                time.sleep(locks.POLL_SECONDS)  # it takes its lock in a moment
            self._ended(STOP_SECONDS)
            raise
        pid = self._pid()
        if pid is None:
            raise WrongSetting(DIRECTORY_SETTING, f"the embedded mongod ended at once. Its log is {self.log}")
        return self._running(pid, fresh=True)

    def _launch(self, until: float) -> None:
        """Start a server and wait until it answers; on the port of the data first, then on others."""
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
            if reason is None:  # the loader spoke: a library or a processor feature is missing
                raise WrongSetting("mongodb", f"{binary} cannot run here: {ended.stdout.strip()[:SHOWN]}")
            if "Address already in use" not in reason:
                problem = f"the embedded mongod ended while starting: {reason}. Its log is {self.log}"
                raise WrongSetting(DIRECTORY_SETTING, problem)
            port = 0  # another program took it between this check and mongod's
        raise WrongSetting("mongodb", f"no port could be had in {_PORT_TRIES} tries; see {self.log}")

    def _spawn(self, binary: Path, port: int, until: float) -> subprocess.CompletedProcess[str]:
        """Have mongod go into the background, without descriptors of this process; returns when it answers."""
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
        """Whether the port is free, or becomes so: a server that was just killed may hold it for a moment more."""
        until = time.monotonic() + _PORT_SECONDS
        while not host.is_free(port):
            if time.monotonic() > until:
                return False
            time.sleep(locks.POLL_SECONDS)
        return True

    def _pings(self, port: int, seconds: float) -> bool:
        """Whether a mongod on these data answers there: on a port that was taken it could be another one."""
        if not host.listens(port, seconds):
            return False
        from pymongo import MongoClient  # slow to import, and not needed to find, stop or show a server
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
        """End the server; returns, when it is gone, whether there was one."""
        if not self._is_there():
            return False
        for number, seconds in ((signal.SIGTERM, deadline), (signal.SIGKILL, _KILL_SECONDS)):
            until, asked = time.monotonic() + seconds, None
            while self._is_there() and time.monotonic() < until:
                pid = self._pid()
                if pid is not None and pid != asked:  # of one that starts, the pid is known in a moment
                    asked = pid
                    self._signal(pid, number)
                time.sleep(locks.POLL_SECONDS)
            if not self._is_there():
                self._is_free_soon(self._kept_port())
                return True
        raise Unavailable(f"The embedded mongod (pid {self._pid()}) does not end. Its log is {self.log}")

    def _signal(self, pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except PermissionError:
            raise WrongSetting(DIRECTORY_SETTING, f"its mongod (pid {pid}) belongs to another user") from None
        except ProcessLookupError:
            return

    def _kept_port(self) -> int:
        """The port that goes with the data; 0 while they have none."""
        try:
            port = int(self._port.read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return port if 0 < port < 65536 else 0

    def _late(self) -> Unavailable:
        return Unavailable(
            f"The embedded mongod (pid {self._pid()}, port {self._kept_port()}) did not answer in time; it goes on "
            f"starting, so try again. Its log is {self.log}"
        )
