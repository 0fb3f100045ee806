"""A MongoDB server and gateways for the bench, which are stopped at its end."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pymongo import MongoClient
from pymongo.database import Database

from pipelinejobs import bootstrap, settings
from pipelinejobs.bootstrap import Services
from pipelinejobs.mongod import find, host
from pipelinejobs.runtime import Context
from tools.bench import slow_disk
from tools.bench.jobs import Document
from tools.chaos import gateways, process
from tools.chaos.gateways import TOKEN, Gateway

_CACHE_GIGABYTES = "1"
_START_MILLISECONDS = 60_000
_END_SECONDS = 30


class Broken(Exception):
    """An event was refused or lost, or something else failed, so that the measurement is not valid."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running MongoDB server, and what uses it."""

    directory: Path
    uri: str
    client: MongoClient[Document]

    @contextmanager
    def database(self, name: str) -> Iterator[Database[Document]]:
        """An empty database with the product's indexes. It is dropped afterwards."""
        self.client.drop_database(name)
        services = self.services(name)
        try:
            services.store.ensure_indexes()
            yield self.client[name]
        finally:
            services.store.close()
            self.client.drop_database(name)

    def services(self, database: str) -> Services:
        """The product's services in this process. The caller closes the store."""
        return bootstrap.services(settings.load(self.environment(database)), Context())

    @contextmanager
    def gateway(self, database: str) -> Iterator[Gateway]:
        """A gateway with default settings, except its database, port and static token."""
        port = host.free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            **self.environment(database),
            "_REACTOR_GATEWAY_PORT": str(port),
            "_REACTOR_GATEWAY_TOKENS": f"bench:EXECUTE:sha256:{sha256(TOKEN.encode()).hexdigest()}",
        }
        command = (sys.executable, "-m", "pipelinejobs", "serve")
        log = self.directory / f"gateway-{port}.log"
        started = Gateway(port, command, environment, log, process.start(command, log, environment))
        try:
            gateways.wait(started)
            yield started
        finally:
            started.process.terminate()  # SIGTERM and not SIGKILL, so that its workers end too
            with suppress(subprocess.TimeoutExpired):
                started.process.wait(_END_SECONDS)
            process.kill(started.process)

    def environment(self, database: str) -> dict[str, str]:
        """The environment variables for this database."""
        return {"_REACTOR_MONGODB_URI": self.uri, "_REACTOR_MONGODB_DATABASE": database}


@contextmanager
def deployed(directory: Path, slower: float = 0) -> Iterator[Deployment]:
    """Starts a server with its data and logs in this directory, and stops it at the end.

    Args:
        slower: milliseconds that are added to each durable write.
    """
    data = directory / "data"
    data.mkdir()
    port = host.free_port()
    command = [str(find()), "--dbpath", str(data), "--port", str(port), "--bind_ip", host.LOOPBACK, "--nounixsocket"]
    command += ["--quiet", "--wiredTigerCacheSizeGB", _CACHE_GIGABYTES]
    command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    environment = {**os.environ, **slow_disk.variables(directory, slower)}
    running = process.start(command, directory / "mongod.log", environment)
    try:
        uri = f"mongodb://{host.LOOPBACK}:{port}/"
        with MongoClient[Document](uri, serverSelectionTimeoutMS=_START_MILLISECONDS) as client:
            client.admin.command("ping")
            yield Deployment(directory, uri, client)
    finally:
        process.kill(running)
