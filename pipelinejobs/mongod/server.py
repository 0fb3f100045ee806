"""The embedded MongoDB of a laptop: a standalone mongod that is kept, with its data, in one directory.

    data/         the database files                    port    the port that goes with these data
    mongod.log    what mongod says                      lock    held while somebody starts or stops it
    mongod.json   the server that runs                  users   held, shared, by each process that serves with it

It listens on 127.0.0.1 alone, asks for no password, and goes on when the process that started it ends; one that was
started to be used ends with the last of its users.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipelinejobs.mongod import host, locks, server_log
from pipelinejobs.mongod.binary import find
from pipelinejobs.mongod.running import Running, Server
from pipelinejobs.util.errors import Unavailable, WrongSetting

DIRECTORY_SETTING: Final = "mongodb.embedded_directory"
START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 15.0
_NAMING_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02
_PING_SECONDS: Final = 2.0
_PORT_TRIES: Final = 5

# The middle process ends at once, so mongod is nobody's child: it is never a zombie of ours and outlives us.
_DETACH: Final = 'log=$1; shift; exec "$@" </dev/null >>"$log" 2>&1 & echo $!'


class Mongod:
    """The embedded server of one directory, which is made when it is first started.

    Any number of processes may use the same directory at once: they share one server.
    """

    def __init__(self, directory: Path) -> None:
        # Resolved, for a running server is known by the path on its command line.
        self.directory: Final = directory.resolve()
        self.data: Final = self.directory / "data"
        self.log: Final = self.directory / "mongod.log"
        self._port: Final = self.directory / "port"
        self._state: Final = self.directory / "mongod.json"
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
            return self._started(until)[0]

    def use(self, deadline: float = START_SECONDS) -> Running:
        """As `start`, for a process that lives for long: where this starts the server, it ends with its last user.

        This process is a user until it calls `leave` or ends, however that comes. Where the last one was killed, the
        server goes on, until the next that uses it leaves.
        """
        until = time.monotonic() + deadline
        with self._made(until):
            running, server = self._started(until)
            self._users.join(server.name if running.fresh else None)
            return running

    def leave(self, deadline: float = STOP_SECONDS) -> bool:
        """This process does not use the server any more; returns whether it was the last, and so stopped it.

        Never stops one that was started by `start`. Raises what `stop` raises.
        """
        with self._found(deadline) as there:
            if not there:
                return False
            server, ours = self._server(), self._users.leave()
            if server is None or server.name != ours:
                return False
            self._stopped(server, deadline)
            return True

    def is_used(self) -> bool:
        """Whether a gateway serves with it, which answers 503 from when it is stopped until it is started again."""
        with self._found(0.0) as there:
            return there and self._users.others()

    def stop(self, deadline: float = STOP_SECONDS) -> bool:
        """Stop the server: ask, wait `deadline` seconds, then force. Returns whether one ran.

        Only a process that is proved to be our server is ever signalled. Raises WrongSetting when it belongs
        to another user, and Unavailable when it cannot be ended.
        """
        with self._found(deadline) as there:
            if not there:
                return False
            server = self._server()
            self._stopped(server, deadline)
            return server is not None

    def status(self) -> Running | None:
        """The server that runs, or None. It may still be starting. Changes nothing."""
        with _named_trouble(self.directory):
            server = self._server()
            return server.running(fresh=False) if server else None

    @contextmanager
    def _found(self, seconds: float) -> Iterator[bool]:
        """The directory as it is, and locked where it is there; whether it is.

        Another may keep the lock for a start, and for so many seconds more.
        """
        with _named_trouble(self.directory):
            if not self.directory.is_dir():
                yield False
                return
            with locks.held(self._lock, time.monotonic() + START_SECONDS + seconds):
                yield True

    @contextmanager
    def _made(self, until: float) -> Iterator[None]:
        """The directory, there and locked."""
        with _named_trouble(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data.mkdir(mode=0o700, exist_ok=True)
            with locks.held(self._lock, until):
                yield

    def _started(self, until: float) -> tuple[Running, Server]:
        server = self._server()
        if server is not None and self._answers(server, until):
            self._remember(server)
            return server.running(fresh=False), server
        server = self._launch(until)
        return server.running(fresh=True), server

    def _stopped(self, server: Server | None, deadline: float) -> None:
        if server is not None:
            self._end(server, deadline)
        self._state.unlink(missing_ok=True)

    def _launch(self, until: float) -> Server:
        """Start a server and wait until it answers; the port of the data first, then others."""
        binary = find()
        port = self._kept_port()
        for _ in range(_PORT_TRIES):
            if port is None or not host.is_free(port):
                port = host.free_port()
            host.write_whole(self._port, str(port))
            said_before = server_log.opened(self.log)
            server = None
            try:
                server = self._spawn(binary, port)
                if server is not None:
                    self._remember(server)
                    if self._answers(server, until):
                        return server
            except KeyboardInterrupt:
                self._end_what_began(server)
                raise
            error = self._ended_early(binary, said_before)
            if "Address already in use" not in error.reason:
                raise error
            port = None  # somebody took it between our look and mongod's
        raise WrongSetting("mongodb", f"no port could be had in {_PORT_TRIES} tries; see {self.log}")

    def _end_what_began(self, server: Server | None) -> None:
        """Ends a server whose start is given up; where that was in the middle of it, it names itself in a moment."""
        until = time.monotonic() + _NAMING_SECONDS
        while server is None and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            server = self._server()
        if server is not None:
            self._end(server, STOP_SECONDS)

    def _spawn(self, binary: Path, port: int) -> Server | None:
        """Start mongod in a session of its own, with no descriptor of ours. None: it has ended already."""
        options = ["--dbpath", str(self.data), "--port", str(port), "--bind_ip", host.LOOPBACK]
        options += ["--nounixsocket", "--quiet", "--wiredTigerCacheSizeGB", "0.25"]
        options += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        detached = subprocess.run(  # noqa: S603 - a fixed script; the arguments are paths and numbers of ours
            ["/bin/sh", "-c", _DETACH, "sh", str(self.log), str(binary), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            umask=0o077,
            start_new_session=True,
            check=False,
        )
        pid = detached.stdout.strip()
        return self._identify(int(pid)) if pid else None

    def _server(self) -> Server | None:
        """The living server of our data: the remembered one, else the one that mongod's own lock file names.

        The second is there when a starter was killed before it could write down what it had started.
        """
        try:
            state = json.loads(self._state.read_text())
            remembered = Server(int(state["pid"]), int(state["port"]), str(state["began"]))
            process = host.process(remembered.pid)
            # One that is about to be gone has no command line any more, but still holds the port and the data.
            ending = process == host.Process(remembered.began, "")
            if ending or self._identify(remembered.pid) == remembered:
                return remembered
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            pass
        try:
            return self._identify(int((self.data / "mongod.lock").read_text()))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def _identify(self, pid: int) -> Server | None:
        """The server that has this pid, if its command line says that it runs on our data."""
        process = host.process(pid)
        if process is None:
            return None
        ours = re.search(rf" --dbpath {re.escape(str(self.data))} --port (\d+) ", process.command)
        return Server(pid, int(ours[1]), process.began) if ours else None

    def _answers(self, server: Server, until: float) -> bool:
        """Wait until the server answers; False when it ended instead. Raises Unavailable at the deadline."""
        while server.lives:
            left = until - time.monotonic()
            if left <= 0:
                raise Unavailable(
                    f"The embedded mongod (pid {server.pid}, port {server.port}) did not answer in time; it "
                    f"goes on starting, so try again. Its log is {self.log}, which ends with: "
                    f"{server_log.last_line(self.log)}"
                )
            patience = min(left, _PING_SECONDS)
            if host.listens(server.port, patience) and self._pings(server.port, patience):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _pings(self, port: int, seconds: float) -> bool:
        """Whether a mongod on our data answers there: on a port that was taken it could be another one."""
        from pymongo import MongoClient  # slow to import, and not needed to find, stop or show a server
        from pymongo.errors import PyMongoError

        client: MongoClient[dict[str, object]] = MongoClient(
            host.LOOPBACK, port, directConnection=True, timeoutMS=max(1, int(seconds * 1000))
        )
        try:
            client.admin.command("ping")
            options = client.admin.command("getCmdLineOpts")
        except PyMongoError:
            return False
        finally:
            client.close()
        return bool(options["parsed"].get("storage", {}).get("dbPath") == str(self.data))

    def _end(self, server: Server, deadline: float) -> None:
        """End this server; returns when it is gone."""
        for number, seconds in ((signal.SIGTERM, deadline), (signal.SIGKILL, 5.0)):
            until = time.monotonic() + seconds
            try:
                if server.lives:
                    os.kill(server.pid, number)
            except ProcessLookupError:
                return
            except PermissionError:
                raise WrongSetting(
                    DIRECTORY_SETTING, f"its mongod (pid {server.pid}) belongs to another user"
                ) from None
            while server.lives and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)
            if not server.lives:
                return
        raise Unavailable(f"The embedded mongod (pid {server.pid}) does not end. Its log is {self.log}")

    def _remember(self, server: Server) -> None:
        host.write_whole(self._state, json.dumps({"pid": server.pid, "port": server.port, "began": server.began}))

    def _kept_port(self) -> int | None:
        try:
            port = int(self._port.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return port if 0 < port < 65536 else None

    def _ended_early(self, binary: Path, said_before: int) -> WrongSetting:
        last = server_log.last_words(self.log, said_before)
        if not last.by_mongod:  # the loader spoke: a library or a processor feature is missing
            return WrongSetting("mongodb", f"{binary} cannot run here: {last.text}. Its log is {self.log}")
        problem = f"the embedded mongod ended while starting: {last.text}. Its log is {self.log}"
        return WrongSetting(DIRECTORY_SETTING, problem)


@contextmanager
def _named_trouble(directory: Path) -> Iterator[None]:
    """Turn what the file system refuses into a WrongSetting that names the directory."""
    try:
        yield
    except OSError as error:
        raise WrongSetting(DIRECTORY_SETTING, f"{directory} cannot be used: {error.strerror or error}") from error
