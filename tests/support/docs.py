"""For the tests of README.rst and docs/: which pages there are, and the blocks of code in them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
TOP: Final = ("README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst")
"""The pages at the top of the repository, which are read where they are."""

_START: Final = re.compile(r"(?P<margin> *)\.\. code-block:: *(?P<language>\S*)")


def pages() -> list[Path]:
    """Every page of people's own writing: those at the top and those in docs/."""
    return [*(ROOT / name for name in TOP), *built_pages()]


def built_pages() -> list[Path]:
    """The pages in docs/, which Sphinx builds."""
    return sorted(page for page in DOCS.rglob("*.rst") if "_build" not in page.parts)


def name_of(page: Path) -> str:
    """The page, as people call it."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        line: where it begins, from 1.
        is_output: whether it shows what the block before it prints (`:class: output`).
    """

    page: Path
    line: int
    language: str
    text: str
    is_output: bool

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The blocks of code on a page, in their order."""
    lines = page.read_text("utf-8").splitlines()
    found = []
    for number, line in enumerate(lines):
        start = _START.fullmatch(line)
        if start is None:
            continue
        inside = _inside(lines[number + 1 :], len(start["margin"]))
        options = [one for one in inside if one.startswith(":")][: _blank(inside)]
        text = "\n".join(inside[_blank(inside) :]).strip("\n")
        found.append(Block(page, number + 1, start["language"], text, ":class: output" in options))
    return found


def _inside(lines: list[str], margin: int) -> list[str]:
    """The lines that belong to a directive: blank ones, and those that are further in."""
    inside = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= margin:
            break
        inside.append(line)
    return textwrap.dedent("\n".join(inside)).splitlines()


def _blank(lines: list[str]) -> int:
    """Where the options of a directive end."""
    return next((place for place, line in enumerate(lines) if not line.strip()), len(lines))
