"""The table of status words."""

from collections.abc import Callable

import pytest

from fsm.lifecycle import EVENTS, RESERVED
from pipelinejobs.messages.statuses import EVENT_OF, as_word, event_of


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


AGAVE = words(
    """PENDING PROCESSING_INPUTS STAGING_INPUTS STAGED STAGING_JOB SUBMITTING QUEUED RUNNING PAUSED CLEANING_UP
    ARCHIVING ARCHIVING_FINISHED ARCHIVING_FAILED FINISHED KILLED STOPPED FAILED HEARTBEAT ACCEPTED BLOCKED CREATED
    UPDATED DELETED PERMISSION_GRANT PERMISSION_REVOKE"""
)
ALOE = ["ACCEPTED", "SUBMITTING_JOB", "BLOCKED", "CANCELLED"]
TAPIS = words(
    """PENDING PROCESSING_INPUTS STAGING_INPUTS STAGING_JOB SUBMITTING_JOB QUEUED RUNNING ARCHIVING BLOCKED PAUSED
    FINISHED CANCELLED FAILED"""
)

EXPECTED = (
    {"RUNNING": "run", "FINISHED": "finish", "UPDATED": "update", "DELETED": "update", "HEARTBEAT": "update"}
    | dict.fromkeys(["FAILED", "STOPPED", "KILLED", "CANCELLED", "ARCHIVING_FAILED"], "fail")
    | dict.fromkeys(
        words("""CREATED ACCEPTED PENDING PROCESSING_INPUTS STAGING_INPUTS STAGED STAGING_JOB SUBMITTING SUBMITTING_JOB
        QUEUED PAUSED BLOCKED CLEANING_UP ARCHIVING ARCHIVING_FINISHED PERMISSION_GRANT PERMISSION_REVOKE"""),
        "resource",
    )
)


def test_the_table() -> None:
    assert EVENT_OF == EXPECTED
    assert set(AGAVE + ALOE + TAPIS) == set(EVENT_OF)


def test_every_event_is_one_that_a_message_may_carry() -> None:
    assert set(EVENT_OF.values()) <= set(EVENTS) - RESERVED


@pytest.mark.parametrize("status", sorted({*AGAVE, *ALOE, *TAPIS}))
@pytest.mark.parametrize("spelt", [str.upper, str.lower, str.title, str.swapcase, str.capitalize])
def test_any_case(status: str, spelt: Callable[[str], str]) -> None:
    assert event_of(as_word(spelt(status))) == EXPECTED[status]


@pytest.mark.parametrize("status", ["EMPTY_STATUS_RESPONSE", "RESTORED", "", "{}", "FINISHED ", "__class__", None])
def test_any_other_is_an_update(status: str | None) -> None:
    assert event_of(status) == "update"


@pytest.mark.promise("S8")
@pytest.mark.parametrize("status", ["f\u0131n\u0131shed", "\u017ftopped", "FINI\u0405HED"])
def test_look_alike_letters_are_other_letters(status: str) -> None:
    assert event_of(as_word(status)) == "update"
