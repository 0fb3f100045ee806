"""docs/explanation/promises.rst is true: each id of the fault list is there once, and its modules hold it."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = (ROOT / "docs" / "explanation" / "promises.rst").read_text("utf-8")
PARAGRAPHS: Final = dict(re.findall(r"^(P\d+) .*\n((?:   .*\n)+)", PAGE, re.MULTILINE))
ROWS: Final = re.findall(r"^([FS]\d+)  .*(``tests/.*)\n", PAGE, re.MULTILINE)
PROMISES: Final = [f"P{number}" for number in range(1, 15)]
FAULTS: Final = [f"F{number}" for number in range(1, 24)]
ATTACKS: Final = [f"S{number}" for number in range(1, 28)]
MODULES: Final = sorted((ROOT / "tests").rglob("test_*.py"))


def marks(module: Path) -> set[str]:
    """The ids that a module's tests are marked with, one by one or in a list."""
    lists = re.findall(r"\bpromise(?:\(| in \()([^()]*)\)", module.read_text("utf-8"))
    return {one for text in lists for one in re.findall(r'"([PFS]\d+)"', text)}


def test_every_promise_has_a_paragraph() -> None:
    assert list(PARAGRAPHS) == PROMISES


def test_every_fault_and_attack_has_a_row() -> None:
    assert [one for one, _ in ROWS] == [*FAULTS, *ATTACKS]


@pytest.mark.parametrize("one", [*PROMISES, *FAULTS, *ATTACKS])
def test_every_id_has_a_test(one: str) -> None:
    assert [module for module in MODULES if one in marks(module)]


def test_there_are_no_other_ids() -> None:
    assert {one for module in MODULES for one in marks(module)} == {*PROMISES, *FAULTS, *ATTACKS}


@pytest.mark.parametrize("one", [*PROMISES, *FAULTS, *ATTACKS])
def test_the_modules_that_it_names_hold_it(one: str) -> None:
    named = re.findall(r"``(tests/[\w/]+/test_\w+\.py)``", {**PARAGRAPHS, **dict(ROWS)}[one])
    assert named
    for module in named:
        assert one in marks(ROOT / module), f"{module} has no test marked {one}"
