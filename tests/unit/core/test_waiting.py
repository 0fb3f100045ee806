"""Waiting for a job: what the reader asked for, and whether the job has reached it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, RESERVED, STATES
from fsm.machine import destination
from pipelinejobs.core.waiting import NEVER, Mark, mark, may_have_reached, reached, states, told, whole
from pipelinejobs.util.errors import Malformed

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ordinary = st.lists(st.sampled_from(sorted(set(EVENTS) - ADMINISTRATIVE - RESERVED)), max_size=12)


def document(state: str, *events: str, revision: Any = None) -> dict[str, Any]:
    """A stored job in this state with these history entries."""
    history = [{"uuid": f"e{number}", "name": name} for number, name in enumerate(events)]
    number = len(events) - 1 if revision is None else revision
    return {"state": state, "updated": NOW, "_properties": {"revision": number}, "history": history}


class TestReached:
    @pytest.mark.parametrize(
        ("state", "wanted", "expected"),
        [
            ("FINISHED", "FINISHED", True),
            ("RUNNING", "FINISHED", False),
            ("FAILED", "FINISHED", NEVER),
            ("FAILED", "FINISHED,FAILED", True),
            ("RETIRED", "FINALIZED", NEVER),
            ("MADE UP", "FINISHED", False),
        ],
    )
    def test_now(self, state: str, wanted: str, expected: Any) -> None:
        job = document(state, "create")
        assert reached(job, states([wanted], "until"), mark(job)) == expected

    @pytest.mark.parametrize("events", [["run", "finish"], ["RUN", "finish"], ["run", "update", "finish"]])
    def test_a_state_that_was_passed_since(self, events: list[str]) -> None:
        since = mark(document("CREATED", "create"))
        job = document("FINISHED", "create", *events)
        assert reached(job, {"RUNNING"}, since) is True
        assert reached(job, {"RUNNING"}, mark(job)) == NEVER, "before the wait does not count"

    @pytest.mark.parametrize(("revision", "expected"), [(0, True), (1, NEVER), (3, NEVER), (9, NEVER), (None, NEVER)])
    def test_a_state_that_was_passed_since_a_revision(self, revision: int | None, expected: Any) -> None:
        job = document("INDEXING", "create", "run", "finish", "index")
        assert reached(job, {"RUNNING"}, Mark(None, revision, None)) == expected
        assert reached(job, {"FINISHED"}, Mark(None, 1, None)) is True

    def test_a_revision_whose_entries_are_no_longer_in_the_document(self) -> None:
        job = document("INDEXING", "finish", "index", revision=700)
        assert reached(job, {"FINISHED"}, Mark(None, 3, None)) is True
        assert reached(job | {"_properties": {}}, {"RUNNING"}, Mark(None, 3, None)) == NEVER

    def test_a_job_that_was_made_again_begins_anew(self) -> None:
        since = mark(document("RUNNING", "create", "run"))
        job = document("FAILED", "create", "fail")
        job["history"][1]["uuid"] = "another"
        job["history"][0]["uuid"] = "another life"
        assert reached(job, {"RUNNING", "FINISHED"}, since) == NEVER

    @given(ordinary, ordinary, st.data())
    def test_it_is_true_for_each_state_that_the_job_entered(
        self, before: list[str], after: list[str], data: st.DataObject
    ) -> None:
        visited: set[str] = set()
        state, entries, since = "CREATED", ["create"], mark(document("CREATED", "create"))
        for event in before:
            if moved := destination(state, event):
                state, entries = moved, [*entries, event]
        since, start = mark(document(state, *entries)), state
        for event in after:
            if moved := destination(state, event):
                visited |= {moved} - {state}  # an update enters no state
                state, entries = moved, [*entries, event]
        wanted = data.draw(st.sampled_from(list(STATES)))
        found = reached(document(state, *entries), {wanted}, since)
        if wanted in visited | {state}:
            assert found is True
        else:
            assert found is not True or wanted == start
        assert not (found == NEVER and wanted in visited | {state})

    @pytest.mark.parametrize("history", [None, "text", [], [3, None], [{"name": "run"}], [{"uuid": None, "name": 4}]])
    def test_whatever_another_program_stored_as_history(self, history: Any) -> None:
        job = document("RUNNING", "create") | {"history": history}
        assert reached(job, {"FINISHED"}, mark(job)) is False
        assert reached(job, {"RUNNING"}, mark({})) is True


class TestMark:
    @pytest.mark.parametrize(
        ("stored", "expected"),
        [(3, 3), (3.0, 3), (0, 0), (-1, None), ("3", None), (None, None), (True, None), (2**60, None)],
    )
    def test_the_revision_is_a_whole_number_or_none(self, stored: Any, expected: int | None) -> None:
        assert mark(document("RUNNING", "create") | {"_properties": {"revision": stored}}).revision == expected
        assert whole(stored) == expected

    def test_nan_is_no_revision(self) -> None:
        assert whole(float("nan")) is None

    def test_what_counts_as_a_change(self) -> None:
        one = mark(document("RUNNING", "create", "run"))
        assert one == Mark("RUNNING", 1, NOW, "e1")
        assert one.is_same(one._replace(entry=None)), "the feed does not know the entry"
        for change in ({"state": "FAILED"}, {"revision": 2}, {"updated": NOW + timedelta(seconds=1)}):
            assert not one.is_same(one._replace(**change))


class TestMayHaveReached:
    KNOWN = Mark("FINISHED", 2, NOW, "e2")

    @pytest.mark.parametrize(
        ("change", "wanted", "expected"),
        [
            ({"state": "INDEXING"}, "FAILED", True),
            ({"revision": 4}, "INDEXING", True),
            ({"revision": 4}, "FAILED", False),
            ({}, "INDEXING", False),
            ({"state": None}, "INDEXING", True),
        ],
    )
    def test_the_change(self, change: dict[str, Any], wanted: str, expected: bool) -> None:
        """Two events may take a job into INDEXING and back to FINISHED before it is looked at."""
        now = told({"state": "FINISHED", "revision": 2.0, "updated": NOW, **change})
        assert may_have_reached(now, self.KNOWN, {wanted}) is expected


class TestStates:
    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            (["FINISHED"], {"FINISHED"}),
            (["FINISHED,FAILED"], {"FINISHED", "FAILED"}),
            (["finished , Failed"], {"FINISHED", "FAILED"}),
            (["FINISHED", "FAILED"], {"FINISHED", "FAILED"}),
            (["FAILED,FAILED"], {"FAILED"}),
        ],
    )
    def test_named(self, texts: list[str], expected: set[str]) -> None:
        assert states(texts, "parameter until") == expected

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("FINISHD", 'parameter until: "FINISHD" is not a state; did you mean FINISHED?'),
            ("FINISHED,faild", 'parameter until: "faild" is not a state; did you mean FAILED?'),
            ("DONE", 'parameter until: "DONE" is not a state; the states are CREATED, RUNNING, '),
            ("0123456789abcdef", "parameter until: is not a state; the states are CREATED, "),
            ("", "parameter until: must name states; the states are CREATED, "),
            ("FINISHED,", "parameter until: must name states; "),
            ("fınıshed", "is not a state; did you mean FINISHED?"),
            ("F" * 10_000, "is not a state; the states are"),
            ("\x00\x1b[2J", "is not a state"),
        ],
    )
    def test_an_unknown_one_is_named_with_the_nearest(self, text: str, reason: str) -> None:
        with pytest.raises(Malformed) as refused:
            states([text], "parameter until")
        assert reason in refused.value.reason
        assert refused.value.reason.isprintable()
        assert len(refused.value.reason) < 300
        assert "0123456789abcdef" not in refused.value.reason
