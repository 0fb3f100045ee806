"""The list of breaks fits the source as it is: `python -m tools.mutants` makes them, which takes its time."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tools.mutants.breaks import BREAKS, Break

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = (ROOT / "docs" / "explanation" / "promises.rst").read_text("utf-8")
PROMISES: Final = [f"P{number}" for number in range(1, 11)]
FAULTS: Final = ("F1", "F2", "F3", "F5", "F6", "F7", "F8", "F9", "F12", "F13", "F14", "F16", "F20")
ATTACKS: Final = (
    "S1",
    "S2",
    "S5",
    "S6",
    "S8",
    "S9",
    "S10",
    "S11",
    "S13",
    "S15",
    "S16",
    "S18",
    "S19",
    "S20",
    "S21",
    "S22",
    "S24",
    "S25",
)
"""Of faults and attacks those that a change of a few words of the product would let in."""


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.what)
def test_a_break(one: Break) -> None:
    source = (ROOT / one.file).read_text("utf-8")
    assert source.count(one.old) == 1, "it has to be said anew where the source has changed"
    assert one.old != one.new
    if one.file.endswith(".py"):
        ast.parse(source.replace(one.old, one.new))
    assert one.tests
    for test in one.tests:
        assert _is_there(test), test


def _is_there(test: str) -> bool:
    """Whether a module has the classes and the function that a test's name is made of."""
    module, *names = test.partition("[")[0].split("::")
    within: ast.AST = ast.parse((ROOT / module).read_text("utf-8"))
    for name in names:
        inner = [
            node
            for node in ast.iter_child_nodes(within)
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
        ]
        if not inner:
            return False
        within = inner[0]
    return isinstance(within, ast.FunctionDef)


def test_each_is_another() -> None:
    assert len({one.what for one in BREAKS}) == len(BREAKS)
    assert len({(one.file, one.old, one.new) for one in BREAKS}) == len(BREAKS)


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_broken_twice_and_seen_by_a_module_that_holds_it(promise: str) -> None:
    of_it = [one for one in BREAKS if promise in one.promises]
    assert len(of_it) >= 2
    (paragraph,) = re.findall(rf"^{promise} .*\n((?:   .*\n)+)", PAGE, re.MULTILINE)
    named = set(re.findall(r"``(tests/[\w/]+\.py)``", paragraph))
    assert named & {test.partition("::")[0] for one in of_it for test in one.tests}


@pytest.mark.parametrize("fault", [*FAULTS, *ATTACKS])
def test_a_fault_or_an_attack_is_let_in(fault: str) -> None:
    assert any(fault in one.promises for one in BREAKS)
