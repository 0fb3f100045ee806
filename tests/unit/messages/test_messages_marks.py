"""What was replaced or left out of a report is said in its data."""

from typing import Any

import pytest

from pipelinejobs.messages.marks import Marks, marked, unmarked


def some() -> Marks:
    marks = Marks()
    marks.add("a.b", "is odd; left out")
    marks.add("a.b", "is odd; left out")
    return marks


@pytest.mark.parametrize(
    ("data", "key"),
    [(None, "mended"), ({"a": 1}, "mended"), ({"mended": 1}, "_mended"), ({"mended": 1, "_mended": 2}, "__mended")],
)
def test_they_go_beside_the_data(data: dict[str, Any] | None, key: str) -> None:
    found = marked(data, some())
    assert found == {**(data or {}), key: ["a.b: is odd; left out"]}
    assert unmarked(found) == (data or {})


def test_without_any_the_data_are_what_they_were() -> None:
    assert marked(None, Marks()) is None
    assert marked({"a": 1}, Marks()) == {"a": 1}


@pytest.mark.parametrize("data", [None, {}, {"a": 1}, [], "text"])
def test_what_has_none(data: Any) -> None:
    assert unmarked(data) == data
