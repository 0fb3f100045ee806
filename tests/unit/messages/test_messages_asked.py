from datetime import UTC, datetime

import pytest

from pipelinejobs.messages import asked
from pipelinejobs.messages.event import Kind
from pipelinejobs.messages.external import External
from pipelinejobs.messages.statuses import EVENT_OF
from support.factories import UUID

AT = datetime(2026, 11, 30, 12, 0, 0, 5, tzinfo=UTC)
JOB = External("tapis", "5e2d7a90-007")


@pytest.mark.parametrize(("status", "name"), EVENT_OF.items())
def test_a_status_becomes_the_event_that_a_callback_with_it_would_be(status: str, name: str) -> None:
    event = asked.report(UUID, JOB, status, {"condition": "X"}, AT)
    assert (event.kind, event.name, event.status, event.external) == (Kind.REPORT, name, status, "tapis:5e2d7a90-007")
    assert event.data == {
        "condition": "X",
        "status": status,
        "learned": "asked",
        "asked_at": "2026-11-30T12:00:00+00:00",
        "job_system": {"system": "tapis", "id": "5e2d7a90-007"},
    }
    assert asked.was_asked(event.data)


def test_the_same_answer_is_the_same_event() -> None:
    first = asked.report(UUID, JOB, "FAILED", {"n": 1}, AT)
    later = asked.report(UUID, JOB, "FAILED", {"n": 2}, AT.replace(hour=13))
    other = asked.report(UUID, JOB, "CANCELLED", {"n": 1}, AT)
    another = asked.report(UUID, JOB._replace(id="6"), "FAILED", {"n": 1}, AT)
    assert first.id == later.id
    assert len({first.id, other.id, another.id}) == 3


def test_the_job_systems_words_do_not_replace_our_own() -> None:
    event = asked.report(UUID, JOB, "FAILED", {"learned": "told", "asked_at": 1, "job_system": "x"}, AT)
    assert asked.was_asked(event.data)
    assert not asked.was_asked({"learned": "told"})
    assert not asked.was_asked(None)
