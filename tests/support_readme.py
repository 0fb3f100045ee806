"""For the tests of README.rst: a shell that runs its examples, and curl lines understood."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("reactor.py", "config.yml", "message.jsonschema", "secrets.json.sample", "pipelinejobs", "fsm", "tests/data")
RECORDED = ("curl", "docker", "make")
API = "https://api.example.org"


class Shell:
    """Runs shell blocks in a copy of the project; what cannot be run here is recorded with its arguments."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "project"
        self._programs = directory / "bin"
        self._calls = directory / "calls"
        for name in COPIED:
            source, target = ROOT / name, self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self._program("python", f'exec {shlex.quote(sys.executable)} "$@"')
        record = f"{{ printf '%s\\0' \"$@\"; case \"$*\" in *@-*) cat;; esac; printf '\\0\\n'; }} >> {self._calls}"
        for name in RECORDED:
            self._program(name, f'set -- {name} "$@"\n{record}')
        activate = self.root / ".venv" / "bin" / "activate"
        activate.parent.mkdir(parents=True)
        activate.touch()

    def run(self, script: str, **environment: str) -> str:
        """What a script prints; every one of its commands must succeed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.root,
            env={"PATH": f"{self._programs}:/usr/bin:/bin", "HOME": str(self.root), "API": API, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    def calls(self) -> list[list[str]]:
        """The recorded commands, with what they read from stdin as a last argument where they did."""
        text = self._calls.read_text() if self._calls.exists() else ""
        self._calls.unlink(missing_ok=True)
        return [call.removesuffix("\0").split("\0") for call in text.split("\0\n")[:-1]]

    def _program(self, name: str, script: str) -> None:
        self._programs.mkdir(exist_ok=True)
        program = self._programs / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)


class Curl:
    """A curl command line, understood."""

    def __init__(self, shell: Shell, call: list[str]) -> None:
        assert call[0] == "curl"
        self.method, self.data, self.headers, self.url = "", "", dict[str, str](), ""
        words: Iterator[str] = iter(call[1:])
        for word in words:
            match word:
                case "-X":
                    self.method = next(words)
                case "-H":
                    name, _, value = next(words).partition(": ")
                    self.headers[name] = value
                case "--data":
                    self.data = next(words)
                case _ if self.url:
                    assert self.data == "@-", f"an argument too many: {word}"
                    self.data = word
                case _:
                    self.url = word
        if self.data.startswith("@"):
            self.data = (shell.root / self.data[1:]).read_text()
        assert self.method == "POST"
        assert self.headers["Content-Type"] == "application/json"
        assert self.url.startswith(f"{API}/actors/v2")

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query, strict_parsing=True))
