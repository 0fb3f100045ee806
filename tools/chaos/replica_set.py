"""A replica set of three members on loopback, and the faults that can be done to it."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from pipelinejobs.mongod import find, host
from tools.chaos import process
from tools.chaos.proxy import HOST, Mode, Proxies, Proxy

NAME: Final = "chaos"
_START_SECONDS: Final = 60.0


@dataclass
class Member:
    """One server. Gateways and other members reach it through `proxy`; `ReplicaSet` reaches it directly."""

    number: int
    port: int
    proxy: Proxy
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """The proxy's address, by which the others know the member."""
        return f"{HOST}:{self.proxy.port}"


class ReplicaSet:
    """Three members, started while it is used as a context manager.

    Args:
        directory: for their data and logs.
        election_seconds: how long a primary is missed before another is elected; MongoDB's own default is 10.
    """

    def __init__(self, directory: Path, election_seconds: float) -> None:
        self._directory = directory
        self._election_seconds = election_seconds
        self._proxies = Proxies()
        self.members: list[Member] = []

    @property
    def uri(self) -> str:
        """The connection string."""
        return f"mongodb://{','.join(member.address for member in self.members)}/?replicaSet={NAME}"

    def __enter__(self) -> "ReplicaSet":
        try:
            for number in range(3):
                port, directory = host.free_port(), self._directory / f"member-{number}"
                directory.mkdir(parents=True)
                running = self._spawn(port, directory)
                self.members.append(Member(number, port, self._proxies.before(port), directory, running))
            members = [{"_id": member.number, "host": member.address} for member in self.members]
            timing = {"electionTimeoutMillis": int(self._election_seconds * 1000)}
            config = {"_id": NAME, "members": members, "settings": timing}
            self._until(lambda: self._asked(self.members[0], {"replSetInitiate": config}) is not None)
            self.wait_until_whole()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            process.kill(member.process)
        self._proxies.close()

    def primary(self) -> Member:
        """Waits until there is one primary, and returns it."""
        found: list[Member] = []

        def look() -> bool:
            found[:] = [member for member in self.members if self._state(member) == 1]
            return len(found) == 1

        self._until(look)
        return found[0]

    def secondaries(self) -> list[Member]:
        """The members that are not the primary."""
        primary = self.primary()
        return [member for member in self.members if member is not primary]

    def wait_until_whole(self) -> None:
        """Returns when there is one primary and two secondaries."""
        self._until(lambda: sorted(filter(None, map(self._state, self.members))) == [1, 2, 2])

    def step_down(self) -> None:
        """The primary steps down, as for maintenance."""
        self._asked(self.primary(), {"replSetStepDown": 5, "force": True})

    def kill(self, member: Member) -> None:
        """As by `kill -9`."""
        process.kill(member.process)

    def restart(self, member: Member) -> None:
        """Kills the member if it runs, and starts it again with its data and port."""
        process.kill(member.process)
        member.process = self._spawn(member.port, member.directory)

    def turn(self, member: Member, mode: Mode) -> None:
        """Cuts the member off from the programs that connect to it, or reconnects it."""
        self._proxies.turn(member.proxy, mode)

    def _spawn(self, port: int, directory: Path) -> subprocess.Popen[bytes]:
        command = [str(find()), "--replSet", NAME, "--dbpath", str(directory), "--port", str(port), "--bind_ip", HOST]
        command += ["--nounixsocket", "--quiet", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "200"]
        command += ["--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false"]
        return process.start(command, directory / "mongod.log")

    def _state(self, member: Member) -> int | None:
        status = self._asked(member, {"replSetGetStatus": 1})
        return status["myState"] if status is not None else None

    def _asked(self, member: Member, command: dict[str, Any]) -> dict[str, Any] | None:
        """A member's answer to a command; None if it does not answer, or with an error."""
        if member.process.poll() is not None:
            return None
        client: MongoClient[dict[str, Any]] = MongoClient(HOST, member.port, directConnection=True, timeoutMS=2000)
        with suppress(PyMongoError), client:
            return client.admin.command(command)
        return None

    def _until(self, true: Callable[[], bool]) -> None:
        until = time.monotonic() + _START_SECONDS
        while not true():
            if time.monotonic() > until:
                raise TimeoutError("the replica set did not reach the expected state in time")
            time.sleep(0.1)
