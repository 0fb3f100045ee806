"""Runs the examples of a page as a reader would: one shell and one Python that go on from block to block."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
COPIED: Final = (
    "reactor.py",
    "config.yml",
    "message.jsonschema",
    "secrets.json.sample",
    "pipelinejobs",
    "fsm",
    "tools",
    "deploy",
    "docs/_ext",
    "tests/data",
)
"""What examples may need. Not the rest of tests/, which no reader's example is about."""

_PYTHON: Final = '''
import os, sys
class Reactor:
    """Stands for the Reactors SDK: what it sends goes to the gateway."""
    def send_message(self, actor_id, message):
        import json, urllib.request
        url = f"{os.environ['API']}/actors/v2/{actor_id}/messages?x-nonce={os.environ['NONCE']}"
        body = json.dumps({"message": message}).encode()
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        return urllib.request.urlopen(asked).read()
names = {"__name__": "__main__", "rx": Reactor()}
for line in sys.stdin:
    place, end, environment = line.rstrip("\\n").split("\\t")
    with open(environment, "rb") as file:
        given = dict(one.split(b"=", 1) for one in file.read().split(b"\\0") if b"=" in one)
    os.environ.clear()
    os.environb.update(given)
    for name in ("API", "NONCE", "UUID", "TOKEN", "BEARER", "INDEXER"):
        names.setdefault(name.lower(), os.environ.get(name))
    with open(place) as file:
        code = compile(file.read(), place, "exec")
    exec(code, names)
    print(end, flush=True)
'''


class Reader:
    """Runs a page's examples one after the other, as a reader who pastes them into a shell."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.root = directory / "project"
        self._scratch = directory / "scratch"
        self._scratch.mkdir(parents=True)
        self._programs = directory / "bin"
        self._calls = directory / "calls"
        self._count = 0
        self._copy()
        self._program("python", f'exec {shlex.quote(sys.executable)} "$@"')
        self._program("make", f'echo "$@" >> {shlex.quote(str(self._calls))}')
        self._errors = (directory / "stderr").open("w+")
        self._environment = {
            "PATH": f"{self._programs}:/usr/bin:/bin",
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(self.root),
            **environment,
        }
        self._shell = self._start(["bash", "-euo", "pipefail", "-a"])
        self._python = self._start([sys.executable, "-c", _PYTHON])

    def run(self, language: str, text: str) -> str:
        """Runs a block and returns its output. Fails if one of its commands fails."""
        self._count += 1
        block = self._scratch / f"block-{self._count}"
        block.write_text(text + "\n")
        end = f"--- end of block {self._count} ---"
        if language == "python":
            # What the shell knows by now, Python knows too.
            given = self._scratch / "environment"
            self._tell(self._shell, f"env -0 > {shlex.quote(str(given))}; echo '{end}'", end)
            return self._tell(self._python, f"{block}\t{end}\t{given}", end)
        return self._tell(self._shell, f". {shlex.quote(str(block))} < /dev/null; echo; echo '{end}'", end)

    def targets(self) -> list[str]:
        """The targets that examples gave to `make`, which is not run."""
        return self._calls.read_text().split("\n")[:-1] if self._calls.exists() else []

    def close(self) -> None:
        """Ends both."""
        for process in (self._shell, self._python):
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()
        self._errors.close()

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def _tell(self, process: subprocess.Popen[str], line: str, end: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        printed = ""
        for out in process.stdout:
            if out.rstrip("\n") == end:
                return printed.rstrip("\n")
            printed += out
        self._errors.seek(0)
        raise AssertionError(
            f"a command failed (exit code {process.wait()}).\n{printed}\n{self._errors.read()[-4000:]}"
        )

    def _copy(self) -> None:
        for name in COPIED:
            source, target = ROOT / name, self.root / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "secrets"))
            elif source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        activate = self.root / ".venv" / "bin" / "activate"
        activate.parent.mkdir(parents=True)
        activate.touch()

    def _program(self, name: str, script: str) -> None:
        self._programs.mkdir(exist_ok=True)
        program = self._programs / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)


@contextmanager
def reading(directory: Path, environment: dict[str, str]) -> Iterator[Reader]:
    """A reader with this environment, in a copy of the project."""
    reader = Reader(directory, environment)
    try:
        yield reader
    finally:
        reader.close()


def is_shown(shown: str, printed: str) -> bool:
    """Whether this was printed: `...` stands for anything in a line, and on a line of its own for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else ".*".join(map(re.escape, line.rstrip().split("..."))) + r"\n"
        for line in shown.strip().splitlines()
    )
    text = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, text) is not None
