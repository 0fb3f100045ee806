"""`make test` and `make test-slow` together run every test, and `make test` one of whole processes for each matter."""

import re
from pathlib import Path
from typing import Final

import pytest

from pipelinejobs.messages.agave import AGAVE, ALOE
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.tapis import TAPIS
from support.selection import (
    CHOSEN,
    COLLECTED,
    ENTRY_POINTS,
    FORMS,
    LONGEST,
    PROMISES,
    examples,
    is_in_whole_processes,
)

ROOT: Final = Path(__file__).resolve().parents[3]
MAKEFILE: Final = (ROOT / "Makefile").read_text("utf-8")
EXPRESSIONS: Final = dict(re.findall(r'^(test|test-slow): .*\n\t.* -m "([\w ]+)"', MAKEFILE, re.MULTILINE))
"""What `make test` and `make test-slow` select by."""


@pytest.fixture
def collected(request: pytest.FixtureRequest) -> list[pytest.Item]:
    """All tests that there are, whatever of them this session runs."""
    if [Path(argument).resolve() for argument in request.config.args] != [ROOT / "tests"]:
        pytest.skip("only a session that collects all tests can count them: python -m pytest -k test_selection")
    return request.config.stash[COLLECTED]


def selected(item: pytest.Item, command: str) -> bool:
    """Whether this command of make runs it."""
    marks = {mark.name for mark in item.iter_markers()}
    return bool(eval(EXPRESSIONS[command], {}, {name: name in marks for name in ("slow", "hypothesis")}))


def promises(item: pytest.Item) -> set[str]:
    return {promise for mark in item.iter_markers("promise") for promise in mark.args}


def test_every_test_is_run_by_one_of_them(collected: list[pytest.Item]) -> None:
    fast = [item for item in collected if selected(item, "test")]
    slow = [item for item in collected if selected(item, "test-slow")]
    both = [item for item in slow if item in set(fast)]
    assert len(fast) + len(slow) - len(both) == len(collected)
    assert len(slow) - len(both) > 100
    assert all(item.get_closest_marker("hypothesis") for item in both)


def test_the_tests_of_hypothesis_are_run_by_both(collected: list[pytest.Item]) -> None:
    of_hypothesis = [item for item in collected if item.get_closest_marker("hypothesis")]
    assert len(of_hypothesis) > 20
    for item in of_hypothesis:
        assert selected(item, "test-slow")
        assert selected(item, "test") is (item.get_closest_marker("slow") is None)


def test_no_file_is_without_tests(collected: list[pytest.Item]) -> None:
    assert {item.path for item in collected} == set((ROOT / "tests").rglob("test_*.py"))


def test_those_that_are_chosen_are_there_and_run_by_make_test(collected: list[pytest.Item]) -> None:
    of_processes = {item.nodeid: item for item in collected if is_in_whole_processes(item)}
    assert of_processes.keys() >= CHOSEN
    assert {name for name, item in of_processes.items() if selected(item, "test")} == CHOSEN
    assert {name.partition("::")[0] for name in (item.nodeid for item in collected)} >= set(LONGEST)


def test_every_promise_of_acceptance_tests_has_one(collected: list[pytest.Item]) -> None:
    held = {one for item in collected if is_in_whole_processes(item) for one in promises(item)}
    assert {one for one in held if one.startswith("P")} == PROMISES.keys()
    items = {item.nodeid: item for item in collected}
    for promise, test in PROMISES.items():
        assert promise in promises(items[f"tests/acceptance/{test}"]), f"{test} is not marked {promise}"


def test_every_form_and_every_entry_point_has_one() -> None:
    assert {form.name for form in (EVENT, AGAVE, ALOE, TAPIS)} < FORMS.keys()
    assert ENTRY_POINTS.keys() >= {"reactor.py", "pipelinejobs serve"}


def test_more_examples_are_tried_when_there_is_time(request: pytest.FixtureRequest) -> None:
    deep = request.config.getoption("--hypothesis-profile") == "deep"
    assert examples(40, 4) == (40 if deep else 4)
    assert "--hypothesis-profile deep" in MAKEFILE.partition("\ntest-slow:")[2].partition("\n\n")[0]
