"""Reads a Dockerfile and a .dockerignore: as much of their language as this project uses, and nothing silently more."""

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KNOWN: Final = ("COPY", "RUN", "WORKDIR", "USER", "ENV", "ENTRYPOINT", "CMD")


class NotUnderstood(Exception):
    """The file says something that these tests cannot carry out, and so do not prove."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a Dockerfile, from its FROM on.

    Attributes:
        base: an image of a registry, or another stage.
        instructions: word and arguments of each, in order.
    """

    name: str
    base: str
    instructions: tuple[tuple[str, str], ...]

    def all(self, word: str) -> list[str]:
        """The arguments of every instruction of this kind."""
        return [rest for found, rest in self.instructions if found == word]


def stages(text: str) -> dict[str, Stage]:
    """The stages by name, in order.

    Raises:
        NotUnderstood: an instruction, a flag or a form is used that these tests do not know.
    """
    found: dict[str, Stage] = {}
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        word, rest = word.upper(), rest.strip()
        if word == "FROM":
            named = re.fullmatch(r"(\S+)\s+AS\s+(\S+)", rest, re.IGNORECASE)
            if named is None:
                raise NotUnderstood(line)
            found[named[2]] = Stage(named[2], named[1], ())
        elif word:
            if word not in KNOWN or not found or rest.startswith("--"):
                raise NotUnderstood(line)
            last = found.popitem()[1]
            found[last.name] = Stage(last.name, last.base, (*last.instructions, (word, rest)))
    return found


def words(rest: str) -> list[str]:
    """The list of a CMD or ENTRYPOINT; the form that goes through a shell is not used here."""
    try:
        listed = json.loads(rest)
    except ValueError:
        raise NotUnderstood(rest) from None
    if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
        raise NotUnderstood(rest)
    return listed


def variables(rest: str) -> dict[str, str]:
    """The pairs of an ENV."""
    pairs = [word.partition("=") for word in shlex.split(rest)]
    if not all(between for _, between, _ in pairs):
        raise NotUnderstood(rest)
    return {name: value for name, _, value in pairs}


@dataclass(frozen=True, slots=True)
class Context:
    """The directory that a build is given."""

    root: Path

    def ignored(self, path: str) -> bool:
        """Whether .dockerignore keeps a path out: the last pattern that fits it or a parent decides."""
        parts = path.split("/")
        parents = ["/".join(parts[: length + 1]) for length in range(len(parts))]
        out = False
        for line in (self.root / ".dockerignore").read_text().split():
            pattern = line.removeprefix("!")
            regex = fnmatch.translate(pattern.removeprefix("**/"))
            fits = any(
                re.match(regex, parent) or ("**/" in pattern and re.match(regex, parent.rpartition("/")[2]))
                for parent in parents
            )
            if fits:
                out = not line.startswith("!")
        return out

    def files(self, source: str) -> Iterator[Path]:
        """The files that a COPY of `source` takes, in the same order each time."""
        start = self.root / source
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            if path.is_file() and not self.ignored(path.relative_to(self.root).as_posix()):
                yield path

    def copied(self, rest: str, workdir: str) -> Iterator[tuple[Path, str]]:
        """What a COPY does: each file, and its absolute place in the image.

        Raises:
            NotUnderstood: a source is not in the context.
        """
        *sources, target = rest.split()
        into = Path(workdir, target)
        for source in sources:
            files = list(self.files(source))
            if not files:
                raise NotUnderstood(f"COPY {rest}: there is no {source} in the context")
            for file in files:
                if (self.root / source).is_dir():
                    yield file, str(into / file.relative_to(self.root / source))
                else:
                    yield file, str(into / file.name if target.endswith("/") or len(sources) > 1 else into)
