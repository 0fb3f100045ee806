"""What the parameters of a request for one job ask for."""

import pytest

from pipelinejobs.gateway.routes.job_wait import Wish, wish
from pipelinejobs.util.errors import Malformed

LONGEST = 50.0


@pytest.mark.parametrize(
    ("until", "seconds", "revision", "prefer", "expected"),
    [
        (None, None, None, None, Wish()),
        (["FINISHED"], None, None, None, Wish(frozenset({"FINISHED"}))),
        (["FINISHED"], 25.0, None, None, Wish(frozenset({"FINISHED"}), seconds=25.0)),
        (None, 25.0, 3, None, Wish(revision=3, seconds=25.0)),
        (None, 25.0, None, None, Wish(seconds=25.0)),
        (None, 1e9, 0, None, Wish(revision=0, seconds=LONGEST)),
        (["FAILED"], None, None, "wait=7", Wish(frozenset({"FAILED"}), seconds=7.0)),
        (["FAILED"], None, None, "respond-async, wait = 7; foo", Wish(frozenset({"FAILED"}), seconds=7.0)),
        (None, None, 4, "WAIT=100000", Wish(revision=4, seconds=LONGEST)),
        (["FAILED"], 3.0, None, "wait=7", Wish(frozenset({"FAILED"}), seconds=3.0)),
        (["FAILED"], 0.0, None, "wait=7", Wish(frozenset({"FAILED"}), seconds=0.0)),
        (None, None, None, "wait=7", Wish()),
        (["FAILED"], None, None, "wait=soon", Wish(frozenset({"FAILED"}))),
        (["FAILED"], None, None, "await=7", Wish(frozenset({"FAILED"}))),
        (["FAILED"], None, None, "wait=-7", Wish(frozenset({"FAILED"}))),
    ],
)
def test_it_is(
    until: list[str] | None, seconds: float | None, revision: int | None, prefer: str | None, expected: Wish
) -> None:
    assert wish(until, seconds, revision, prefer, LONGEST) == expected


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(Malformed, match="parameter until"):
        wish(["FINSHED"], 25.0, None, None, LONGEST)
