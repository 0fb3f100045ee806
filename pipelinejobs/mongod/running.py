"""The server that runs."""

from dataclasses import dataclass

from pipelinejobs.mongod import host


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs. `fresh` is true when this very call started it, false when it ran already."""

    uri: str
    port: int
    pid: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Server:
    """A mongod on our data."""

    pid: int
    port: int
    began: str

    @property
    def name(self) -> str:
        """No other server is ever called so."""
        return f"{self.pid} {self.began}"

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        process = host.process(self.pid)
        return process is not None and process.began == self.began

    def running(self, *, fresh: bool) -> Running:
        """As others are told of it."""
        return Running(f"mongodb://{host.LOOPBACK}:{self.port}/", self.port, self.pid, fresh)
