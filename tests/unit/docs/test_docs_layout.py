"""docs/explanation/code.rst names each package and no other, and says in which file to find what."""

import re
from pathlib import Path
from typing import Final

from docutils import nodes

from support.built import Built, cells, section
from support.docs import ROOT, blocks

TOPS: Final = ("fsm", "pipelinejobs", "tools", "tests/support", "docs/_ext")


def packages() -> set[str]:
    """Every package of the tree, as `a/b/`."""
    found = {init.parent.relative_to(ROOT) for top in TOPS for init in (ROOT / top).rglob("__init__.py")}
    return {f"{package.as_posix()}/" for package in found} | {"tests/"}


def test_each_package_has_its_lines(built: Built) -> None:
    items = section(built.page("explanation/code"), "Packages").findall(nodes.definition_list_item)
    assert sorted(item[0].astext() for item in items) == sorted(packages())


def test_each_question_is_answered_by_files(built: Built) -> None:
    rows = cells(section(built.page("explanation/code"), "Where do I find ..."))
    assert len(rows) >= 20
    for question, files in rows:
        named = re.findall(r"[\w./-]+\.(?:py|yml|rst)", files)
        assert named, question
        assert all((ROOT / name).is_file() for name in named), question


def test_the_layout_in_readme() -> None:
    (block,) = [one for one in blocks(ROOT / "README.rst") if one.text.startswith("reactor.py")]
    lines = block.text.splitlines()
    for line in lines:
        assert (ROOT / line.split()[0]).exists(), line
    named = {line.split()[0].split("/")[0] for line in lines}
    assert {top.split("/")[0] for top in TOPS} <= named


def test_where_to_begin_is_there() -> None:
    page = (Path(ROOT) / "docs" / "explanation" / "code.rst").read_text("utf-8")
    for name in re.findall(r"^\d\. ``([^`]+)``", page, re.MULTILINE):
        assert (ROOT / name).is_file()
