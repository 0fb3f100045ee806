"""Edges of what can be mended of a job: what a changed character in the plan would do to it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelinejobs.core.repair import MovedEntry, Plan
from pipelinejobs.core.repair_plan import plan
from support.factories import catalogued

DATE = datetime(2018, 11, 5, 17, 20, 11, tzinfo=UTC)
UPDATE = {"name": "update", "date": DATE, "data": None}


def mended(document: dict[str, Any], *moved: MovedEntry) -> dict[str, Any]:
    """The new value of each field that is to be mended."""
    return {repair.field: repair.value for repair in plan(document, moved).repairs}


def running(*entries: Any, **changes: Any) -> dict[str, Any]:
    """A job that runs, with these entries behind its first two."""
    document = catalogued("job-finished.json")
    del document["history"][2:]
    document["history"] += entries
    document["_properties"]["revision"] = len(document["history"]) - 1
    return document | {"state": "RUNNING", "last_event": "update" if entries else "run"} | changes


def moved_of(document: dict[str, Any], **changes: Any) -> MovedEntry:
    """The job's second entry, moved out of it."""
    entry = document["history"].pop(1)
    return MovedEntry(f"{document['history'][0]['uuid']}:{entry['uuid']}", 0, entry | changes)


class TestDerivedUuids:
    def test_one_does_not_depend_on_other_entries_before_it(self) -> None:
        other = {"name": "update", "date": DATE, "data": {"another": 1}}
        assert mended(running(UPDATE))["history.2.uuid"] == mended(running(other, UPDATE))["history.3.uuid"]

    def test_entries_that_are_just_the_same_have_different_ones(self) -> None:
        uuids = mended(running(UPDATE, UPDATE, UPDATE))
        assert len({uuids[f"history.{place}.uuid"] for place in (2, 3, 4)}) == 3

    def test_another_job_has_another_for_the_same_entry(self) -> None:
        ours, others = mended(running(UPDATE)), mended(running(UPDATE, uuid="107-of-another"))
        assert ours["history.2.uuid"] != others["history.2.uuid"]

    @pytest.mark.parametrize("uuid", [None, "", 5])
    def test_an_entry_without_one_is_not_said_to_repeat_another(self, uuid: object) -> None:
        (repair,) = plan(running(UPDATE | {"uuid": uuid}), []).repairs
        assert repair.why == "the entry has no uuid"


def test_a_date_that_was_mended_dates_what_follows_from_it() -> None:
    document = running(UPDATE | {"uuid": "108-a", "date": "2018-11-05T17:20:11"}, updated=None)
    assert mended(document) == {"history.2.date": DATE, "updated": DATE}


def test_a_moved_entry_whose_date_cannot_be_read_is_named() -> None:
    document = running()
    row = moved_of(document, date="yesterday")
    (left,) = plan(document | {"_moved": 1}, [row]).left
    assert left.startswith(f"jobs_history {row.key}.date is 'yesterday'")


class TestTheCountOfMovedEntries:
    def test_one_that_is_missing_is_counted(self) -> None:
        document = running()
        assert mended(document, moved_of(document)) == {"_moved": 1}

    def test_one_that_is_too_small_is_counted_where_the_entries_are_in_jobs_history_alone(self) -> None:
        document = running(UPDATE | {"uuid": "108-a"})
        rows = [moved_of(document), moved_of(document)._replace(seq=1)]
        assert mended(document | {"_moved": 1}, *rows) == {"_moved": 2}

    @pytest.mark.parametrize(("count", "what"), [(2**53, {"_moved": 0}), (2**53 - 1, {})])
    def test_more_than_any_job_can_have_is_damage(self, count: int, what: dict[str, Any]) -> None:
        found = plan(running(_moved=count), [])
        assert {repair.field: repair.value for repair in found.repairs} == what
        assert bool(found.left) is not bool(what)

    def test_that_of_a_former_life_hides_nothing(self) -> None:
        assert mended(running(state="CREATED", _life="108-of-another", _moved=7)) == {"state": "RUNNING"}


class TestAStateThatTheHistoryDoesNotSay:
    @pytest.mark.parametrize("state", [["FINISHED"], {"FINISHED": 1}, None, 7, "LOST"])
    def test_is_left_where_it_is_no_state(self, state: Any) -> None:
        document = running(state=state)
        document["history"][1]["name"] = "may_run"
        found = plan(document, [])
        assert any(one.startswith("state is ") for one in found.left)
        assert "state" not in {repair.field for repair in found.repairs}

    def test_is_put_right_where_only_its_spelling_is_wrong(self) -> None:
        document = running(state=" running\n")
        document["history"][1]["name"] = "may_run"
        assert mended(document)["state"] == "RUNNING"


def test_a_uuid_in_a_list_of_one_is_that_uuid() -> None:
    assert mended(running(uuid=["107-of-this"])) == {"uuid": "107-of-this"}


class TestAHistoryThatIsMissing:
    def test_its_date_may_be_text(self) -> None:
        document = catalogued("job-created.json") | {"history": None}
        document["_properties"]["created_date"] = "2018-11-05T17:20:11"
        assert mended(document)["history"][0]["date"] == DATE

    @pytest.mark.parametrize(("state", "revision"), [("CREATED", 1), ("RUNNING", 0), ("RUNNING", 1)])
    def test_it_is_not_made_where_something_has_happened(self, state: str, revision: int) -> None:
        document = catalogued("job-created.json") | {"history": [], "state": state}
        document["_properties"]["revision"] = revision
        found = plan(document, [])
        assert found.repairs == []
        assert found.left == ["history has no entry, and what happened to the job is stored nowhere else"]

    def test_what_is_made_is_that_jobs_own(self) -> None:
        document = catalogued("job-created.json") | {"history": None}
        one, other = mended(document)["history"], mended(document | {"data": {"another": 1}})["history"]
        assert one[0]["uuid"] != other[0]["uuid"]


class TestProperties:
    def test_those_that_are_missing_follow_from_the_history(self) -> None:
        document = running(UPDATE | {"uuid": "108-a"}, _properties=None)
        whole = {
            "created_date": document["history"][0]["date"],
            "modified_date": DATE,
            "revision": 2,
            "source": "jobs-manager",
        }
        assert mended(document)["_properties"] == whole

    @pytest.mark.parametrize("name", ["created_date", "modified_date"])
    def test_a_date_that_is_text_becomes_a_date(self, name: str) -> None:
        document = running()
        document["_properties"][name] = "2018-11-05T17:20:11"
        assert mended(document) == {f"_properties.{name}": DATE}

    def test_a_revision_that_no_job_can_have_is_counted_anew_although_the_history_is_not_whole(self) -> None:
        document = running(_moved=3)
        document["_properties"]["revision"] = 2**53
        assert mended(document) == {"_properties.revision": 1}
        document["_properties"]["revision"] = 2**53 - 1
        assert mended(document) == {}


class TestTheDateOfTheLastChange:
    def test_text_is_read_where_the_last_entry_has_no_date(self) -> None:
        document = running(UPDATE | {"uuid": "108-a", "date": None}, updated="2018-11-05T17:20:11")
        assert mended(document) == {"updated": DATE}

    def test_it_is_left_where_nothing_says_it(self) -> None:
        found = plan(running(UPDATE | {"uuid": "108-a", "date": None}, updated=None), [])
        assert found.repairs == []
        assert "updated is missing, and the last entry has no date" in found.left


def test_the_indexer_is_told_of_the_newest_entry_into_a_state_alone() -> None:
    document = catalogued("job-finished.json")
    index = {"name": "index", "uuid": "108-a", "date": DATE, "data": None}
    document["history"].append(index)
    document["_properties"]["revision"] += 1
    found = plan(document | {"state": "INDEXING", "last_event": "index", "_outbox": "x"}, [])
    assert found.owes == index


@pytest.mark.parametrize(
    ("state", "said"),
    [(None, "it is missing,"), ("x" * 58, f"it is '{'x' * 58}',"), ("x" * 59, f"it is '{'x' * 59}...,")],
)
def test_a_wrong_value_is_shown_but_not_for_long(state: object, said: str) -> None:
    (repair,) = plan(running(state=state), []).repairs
    assert repair.why.startswith(said)


def test_of_the_job_that_these_tests_damage_nothing_is_mended() -> None:
    assert plan(running(), []) == Plan([], [])
    assert plan(running(UPDATE | {"uuid": "108-a"}), []) == Plan([], [])
