"""The documentation as Sphinx builds it, for tests that look into its pages."""

import fcntl
import json
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

from support.docs import ROOT


class Built:
    """What a build came to. It is made once in a directory, whatever processes want it there at once.

    Attributes:
        said: all that it printed, warnings included.
        html: where the pages are.
    """

    def __init__(self, directory: Path) -> None:
        recipe = (ROOT / "Makefile").read_text("utf-8")
        command = re.search(r"^\t@\$\(BIN\)/python (-m sphinx .+)$", recipe, re.MULTILINE)
        assert command is not None
        self.html, self._trees = directory / "html", directory / "doctrees"
        told = directory / "told.json"
        directory.mkdir(exist_ok=True)
        with (directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                told.write_text(json.dumps(self._make(command[1])), "utf-8")
        self.exit_code, self.said = json.loads(told.read_text("utf-8"))

    def _make(self, command: str) -> tuple[int, str]:
        words = shlex.split(command.replace("$(ARGS)", ""))
        moved = {"docs/_build/html": str(self.html), "docs/_build/doctrees": str(self._trees)}
        done = subprocess.run(
            [sys.executable, *(moved.get(word, word) for word in words)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def page(self, name: str) -> nodes.document:
        """A page, by its name in docs/, without the ending."""
        with (self._trees / f"{name}.doctree").open("rb") as file:
            read: Any = pickle.load(file)
        assert isinstance(read, nodes.document)
        return read


def literals(place: nodes.Element) -> set[str]:
    """What is in double backquotes there."""
    return {each.astext() for each in place.findall(nodes.literal)}


def terms(place: nodes.Element) -> set[str]:
    """What is in double backquotes in the terms of the definition lists there: what the page defines."""
    return {name for term in place.findall(nodes.term) for name in literals(term)}


def cells(place: nodes.Element) -> list[list[str]]:
    """The rows of the tables there, without their heads."""
    rows = [row for body in place.findall(nodes.tbody) for row in body.findall(nodes.row)]
    return [[entry.astext() for entry in row.findall(nodes.entry)] for row in rows]


def sections(place: nodes.Element) -> list[nodes.section]:
    """All sections there, the page's own first."""
    return list(place.findall(nodes.section))


def section(place: nodes.Element, title: str) -> nodes.section:
    """The section with this title, which must be there once."""
    (found,) = [one for one in sections(place) if one[0].astext() == title]
    return found
