"""docs/promises.rst is true: each promise is there once, and the modules that it names hold it."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "promises.rst").read_text("utf-8")
PARAGRAPHS: Final = dict(re.findall(r"^(P\d+) .*\n((?:   .*\n)+)", PAGE, re.MULTILINE))


def test_every_promise_has_a_paragraph() -> None:
    assert list(PARAGRAPHS) == [f"P{number}" for number in range(1, 11)]


@pytest.mark.parametrize("promise", [f"P{number}" for number in range(1, 11)])
def test_the_modules_that_it_names_hold_it(promise: str) -> None:
    named = re.findall(r"``(tests/[\w/]+/test_\w+\.py)``", PARAGRAPHS[promise])
    assert named
    for module in named:
        marked = re.findall(r'"(P\d+)"', (ROOT / module).read_text("utf-8"))
        assert promise in marked, f"{module} has no test marked {promise}"
