"""What can be mended of a job without guessing."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.lifecycle import INITIAL
from fsm.machine import allowed, destination
from pipelinejobs.core import uuids
from pipelinejobs.core.repair import MovedEntry, Plan, Repair, date_of
from pipelinejobs.core.repair_plan import plan
from support.factories import catalogued

Document = dict[str, Any]
NOW = datetime(2019, 3, 1, 12, 0, 0, tzinfo=UTC)


def mended(document: Document, found: Plan) -> Document:
    """What the plan makes of a document."""
    after = copy.deepcopy(document)
    for repair in found.repairs:
        assert repair.moved is None
        at: Any = after
        *way, last = repair.field.split(".")
        for part in way:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        at[last] = copy.deepcopy(repair.value)
    return after


def fields(found: Plan) -> dict[str, Any]:
    return {repair.field: repair.value for repair in found.repairs}


def finished() -> Document:
    return catalogued("job-finished.json")


def test_of_a_sound_job_nothing_is_mended() -> None:
    for name in ("job-created.json", "job-finished.json"):
        assert plan(catalogued(name), []) == Plan([], [])


def test_a_job_of_2018() -> None:
    document = catalogued("job-of-2018.json")
    found = plan(document, [])
    assert found.left == []
    after = mended(document, found)
    first, second = after["history"]
    assert first["date"] == datetime(2018, 11, 5, 17, 20, 11, tzinfo=UTC)
    assert second["date"] == datetime(2018, 11, 5, 17, 25, 40, tzinfo=UTC)
    assert first["uuid"] != second["uuid"]
    assert {first["uuid"][:3], second["uuid"][:3]} == {uuids.ENTRY}
    assert after["_properties"]["revision"] == 1
    assert set(fields(found)) == {
        "history.0.uuid",
        "history.0.date",
        "history.1.uuid",
        "history.1.date",
        "_properties.revision",
    }
    assert plan(after, []) == Plan([], [])
    assert plan(document, []) == found, "the same job gets the same uuids again"


# Damage of everything that follows from the history

FOLLOWS: dict[str, Any] = {
    "state": ["RUNNING", "running", "LOST", None, 7, ["FINISHED"]],
    "last_event": ["run", None, 7, ""],
    "updated": ["yesterday", "2018-11-05T17:20:11", None, 1541438411],
    "_properties.revision": [7, -1, "4", None, True, float("nan"), 2**60, Decimal128("4"), 2.5],
    "_properties": [None, "text", []],
    "_moved": ["many", 2.5, float("nan"), True, -1],
    "_outbox": [None, "x", {"a": 1}, 5],
}


@settings(deadline=None)  # on a busy machine any one example may take long
@given(data=st.data(), names=st.lists(st.sampled_from(sorted(FOLLOWS)), unique=True, min_size=1))
def test_what_follows_from_the_history_is_as_it_was(data: st.DataObject, names: list[str]) -> None:
    sound = lived(data)
    broken = copy.deepcopy(sound)
    for name in sorted(names):
        section, _, key = name.partition(".")
        value = data.draw(st.sampled_from(FOLLOWS[name]))
        if key and isinstance(broken[section], dict):
            broken[section][key] = value
        elif not key:
            broken[name] = value
    found = plan(broken, [])
    after = mended(broken, found)
    assert found.left == []
    for name in ("state", "last_event", "history", "_salt", "_admin"):
        assert after[name] == sound[name]
    assert after["_properties"]["revision"] == len(sound["history"]) - 1
    assert isinstance(after["updated"], datetime)
    assert isinstance(after.get("_outbox", []), list)
    assert plan(after, []) == Plan([], [])


def lived(data: st.DataObject) -> Document:
    """A job with a life that the lifecycle allows."""
    document, state = catalogued("job-created.json"), INITIAL
    for number in range(data.draw(st.integers(0, 8))):
        name = data.draw(st.sampled_from(allowed(state)))
        state = destination(state, name) or state
        entry = {"date": NOW, "data": None, "name": name, "uuid": f"108-{number}"}
        document["history"].append(entry)
        document |= {"state": state, "last_event": name, "updated": NOW}
        document["_properties"]["revision"] += 1
    return document


# Damage of the history

ENTRY = st.fixed_dictionaries(
    {"name": st.sampled_from(["update", "UPDATE", "resource"])},
    optional={
        "uuid": st.sampled_from(["108-a", "108-b", "", None, 5]),
        "date": st.sampled_from([NOW, "2018-11-05T17:20:11", "2018-11-05 17:20:11.5+02:00", "yesterday", None, 5]),
        "data": st.sampled_from([None, {}, {"a": [1]}, "x"]),
    },
)


@settings(deadline=None)  # on a busy machine any one example may take long
@given(entries=st.lists(st.one_of(ENTRY, st.sampled_from(["text", None, 7])), max_size=6))
def test_every_entry_has_a_uuid_of_its_own_afterwards_and_nothing_is_lost(entries: list[Any]) -> None:
    document = catalogued("job-created.json")
    document["history"] += entries
    after = mended(document, plan(document, []))
    kept = [entry for entry in after["history"] if isinstance(entry, dict)]
    assert all(isinstance(entry["uuid"], str) and entry["uuid"] for entry in kept)
    assert len({entry["uuid"] for entry in kept}) == len(kept)
    assert len(after["history"]) == len(document["history"])
    for before, entry in zip(document["history"], after["history"], strict=True):
        if isinstance(before, dict):
            assert {key: entry.get(key) for key in ("name", "data")} == {
                key: before.get(key) for key in ("name", "data")
            }
        else:
            assert entry == before
    again = plan(after, [])
    assert again.repairs == []
    assert any("is not" in one or "not an entry" in one for one in again.left) or len(kept) == len(after["history"])


def test_the_first_of_two_entries_with_one_uuid_keeps_it() -> None:
    document = finished()
    document["history"][2]["uuid"] = document["history"][1]["uuid"]
    (repair,) = plan(document, []).repairs
    assert (repair.field, repair.why) == ("history.2.uuid", "another entry has the same uuid")
    assert repair.value.startswith("108")


def test_a_history_that_is_missing_is_made_where_nothing_happened() -> None:
    missing: list[Any] = [None, []]
    for history in missing:
        document = catalogued("job-created.json") | {"history": history}
        found = plan(document, [])
        (entry,) = fields(found)["history"]
        assert (entry["name"], entry["data"]) == ("create", document["data"])
        assert entry["date"] == document["_properties"]["created_date"]
        assert found.left == []
        assert plan(mended(document, found), []) == Plan([], [])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"history": None}, "history is missing, and what happened to the job is stored nowhere else"),
        ({"history": "text"}, "history is not an array, and what happened"),
        ({"history": ["text", 5]}, "history.0 is 'text', not an entry"),
        ({"uuid": 5}, "uuid is 5: the job cannot be identified"),
        ({"uuid": ["a", "b"]}, "uuid is ['a', 'b']"),
        ({"_salt": None}, "it has no _salt"),
        ({"_moved": 3}, "_moved says 3, but jobs_history has only 0 entries"),
    ],
)
def test_what_would_have_to_be_guessed_is_said_and_left(damage: Document, said: str) -> None:
    found = plan(finished() | damage, [])
    assert any(said in one for one in found.left), found.left
    assert not fields(found).keys() & damage.keys()


def changed(place: int, **what: Any) -> Document:
    document = finished()
    document["history"][place] |= what
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (changed(1, name="may_run"), "its history does not follow the lifecycle (may_run while CREATED)"),
        (changed(1, name=None), "history.1 has no name"),
        (changed(0, name="run"), "its history begins with run, not with create"),
        (changed(1, date="2018-11-05"), "history.1.date is '2018-11-05', not a full date and time"),
        (changed(1, date=1541438411), "history.1.date is 1541438411"),
    ],
)
def test_a_history_that_does_not_say_what_happened_changes_no_state(document: Document, said: str) -> None:
    found = plan(document, [])
    assert any(said in one for one in found.left), found.left
    assert "state" not in fields(found)
    lost = plan(document | {"state": "LOST"}, [])
    assert ("state" in fields(lost)) == ("date" in said)
    assert any("state is 'LOST'" in one for one in lost.left) == ("state" not in fields(lost))


def test_a_state_in_lower_case_is_the_same_state() -> None:
    assert fields(plan(changed(1, name="may_run") | {"state": "finished"}, []))["state"] == "FINISHED"


# What was moved to jobs_history


def with_moved(count: int, **changes: Any) -> tuple[Document, list[MovedEntry]]:
    """A finished job, the entries behind `create` moved out of it but the last."""
    document = finished()
    leaving = document["history"][1 : 1 + count]
    del document["history"][1 : 1 + count]
    life = document["history"][0]["uuid"]
    moved = [MovedEntry(f"{life}:{entry['uuid']}", seq, entry) for seq, entry in enumerate(leaving)]
    return document | {"_moved": count, "_life": life} | changes, moved


def test_a_history_of_which_a_part_was_moved_is_one_history() -> None:
    assert plan(*with_moved(2)) == Plan([], [])
    document, moved = with_moved(2, state="RUNNING")
    assert fields(plan(document, moved)) == {"state": "FINISHED"}


def test_how_many_were_moved_is_counted() -> None:
    document, moved = with_moved(2, _moved="many")
    assert fields(plan(document, moved)) == {"_moved": 2}
    assert plan(document, moved[1:]).repairs == []
    assert "jobs_history lacks entries" in plan(document, moved[1:]).left[0]


def test_where_moved_entries_are_lost_nothing_is_concluded_from_the_rest() -> None:
    document, moved = with_moved(2, state="RUNNING")
    found = plan(document, moved[:1])
    assert found.repairs == []
    assert any("_moved says 2, but jobs_history has only 1" in one for one in found.left)


def test_an_entry_that_is_in_both_places_counts_once() -> None:
    document, moved = with_moved(2)
    document["history"].insert(1, dict(moved[1].entry))
    assert plan(document | {"_moved": 1}, moved) == Plan([], [])


def test_dates_of_moved_entries_too() -> None:
    document, moved = with_moved(1)
    entry: Mapping[str, Any] = {**moved[0].entry, "date": "2018-11-05T17:20:11"}
    date = datetime(2018, 11, 5, 17, 20, 11, tzinfo=UTC)
    found = plan(document, [moved[0]._replace(entry=entry)])
    assert found.repairs == [Repair("entry.date", date, "it is text", moved[0].key)]


def test_fields_of_a_former_life_count_as_absent() -> None:
    found = plan(finished() | {"_life": "108-of-another", "_moved": "many", "_outbox": 5}, [])
    assert fields(found) == {"_outbox": []}
    assert found.owes is None


# What is owed


def test_where_what_is_owed_cannot_be_read_the_indexer_is_told_again() -> None:
    found = plan(finished() | {"_outbox": "x"}, [])
    assert fields(found) == {"_outbox": []}
    assert found.owes is not None
    assert found.owes["name"] == "finish"


def test_one_message_in_place_of_a_list_is_kept() -> None:
    row = {"id": "108-x", "status": "pending", "attempts": 3}
    found = plan(finished() | {"_outbox": row}, [])
    assert fields(found) == {"_outbox": [row]}
    assert found.owes is None


def test_a_job_that_owes_nothing_owes_nothing() -> None:
    assert plan(catalogued("job-created.json") | {"_outbox": None}, []).owes is None


# Dates


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2018-11-05T17:20:11", "2018-11-05T17:20:11+00:00"),
        ("2018-11-05 17:20:11", "2018-11-05T17:20:11+00:00"),
        ("2018-11-05T17:20:11Z", "2018-11-05T17:20:11+00:00"),
        ("2018-11-05T17:20:11.123456", "2018-11-05T17:20:11.123456+00:00"),
        ("2018-11-05T17:20:11,123456", "2018-11-05T17:20:11.123456+00:00"),
        ("2018-11-05T17:20:11-06:00", "2018-11-05T23:20:11+00:00"),
        ("2018-11-05T17:20:11+0900", "2018-11-05T08:20:11+00:00"),
    ],
)
def test_a_date_that_is_said_in_full(text: str, date: str) -> None:
    found = date_of(text)
    assert found is not None
    assert found.isoformat() == date


@pytest.mark.parametrize(
    "text",
    ["2018-11-05", "2018-11-05T17:20", "05/11/2018 17:20:11", "1541438411", "2018-13-05T17:20:11", "", "now",
     "0001-01-01T00:00:00+14:00", "Mon Nov 5 17:20:11 2018", 1541438411, None, True],
)  # fmt: skip
def test_what_says_no_date_in_full(text: object) -> None:
    assert date_of(text) is None


@settings(deadline=None)  # on a busy machine any one example may take long
@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    date_of(text)
