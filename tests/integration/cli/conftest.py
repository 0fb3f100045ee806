"""Fixtures for the commands: run in this process, on a database of the test's own."""

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.cli.main import main


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which must be strict JSON."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


@dataclass(frozen=True)
class Cli:
    """Runs commands."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, stdin: bytes = b"", **environment: Any) -> Done:
        """Runs one command. Whatever it is given, it must not end in a traceback or an unexpected error."""
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            for name, value in environment.items():
                patch.setenv(name, value)
            try:
                exit_code = main(arguments)
            except SystemExit as end:
                exit_code = end.code if isinstance(end.code, int) else 1
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        assert "unexpected error" not in err
        return Done(exit_code, out, err)

    def ok(self, *arguments: str, **environment: Any) -> Any:
        """What a command that must succeed prints with --json."""
        done = self(*arguments, "--json", **environment)
        assert done.exit_code == 0, done
        return done.json

    def make(self, **data: Any) -> dict[str, str]:
        """A new job, as `create` tells of it."""
        job: dict[str, str] = self.ok("create", "--pipeline-name", "sample", "--data", json.dumps(data))
        return job


@pytest.fixture
def cli(
    mongodb_uri: str,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    """The commands, on the test's own database and with no way to reach an Indexer."""
    monkeypatch.setenv("_REACTOR_MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("_REACTOR_MONGODB_DATABASE", database.name)
    return Cli(monkeypatch, capsys)
