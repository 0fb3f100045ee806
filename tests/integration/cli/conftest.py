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
        """The printed JSON, which must be strict."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


@dataclass(frozen=True)
class Cli:
    """Runs commands."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, stdin: bytes = b"", **environment: Any) -> Done:
        """Runs a command. It must never end with a traceback or an unexpected error."""
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
        """Runs a command with --json, which must succeed, and returns its data."""
        done = self(*arguments, "--json", **environment)
        assert done.exit_code == 0, done
        return done.json

    def make(self, **data: Any) -> dict[str, str]:
        """Makes a job with `create`, and returns its data."""
        job: dict[str, str] = self.ok("create", "--pipeline-name", "sample", "--data", json.dumps(data))
        return job


@pytest.fixture
def cli(
    mongodb_uri: str,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    """The commands, on the test's own database, and without an Indexer's address."""
    monkeypatch.setenv("_REACTOR_MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("_REACTOR_MONGODB_DATABASE", database.name)
    return Cli(monkeypatch, capsys)
