"""The URL parameters."""

import pytest

from message_samples import JOB
from pipelinejobs.errors import Malformed
from pipelinejobs.messages.parameters import NAMES, Parameters, read


def refused(**given: str) -> str:
    with pytest.raises(Malformed) as caught:
        read(given)
    return caught.value.reason


def test_all_of_them() -> None:
    given = read(
        {
            "uuid": JOB,
            "event": "finish",
            "token": "t0ken",
            "note": "n",
            "status": "s",
            "session": "q",
            "x_event_id": "e",
        }
    )
    assert (given.job, given.name, given.note, given.status, given.session, given.event_id) == (
        JOB,
        "finish",
        "n",
        "s",
        "q",
        "e",
    )
    assert given.token is not None
    assert given.token.reveal() == "t0ken"
    assert "t0ken" not in repr(given)


def test_none_of_them() -> None:
    assert read({}) == Parameters()


@pytest.mark.promise("S6")
@pytest.mark.promise("S13")
def test_other_names_are_ignored() -> None:
    others = {
        "uuid[$ne]": "",
        "UUID": "x",
        "environment": "uuid",
        "LD_PRELOAD": "\udcff",
        "message": "\0",
        "Event": "run",
    }
    assert read(others) == Parameters()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", "${STATUS}", "${}", "${JOB_ERROR}"])
def test_empty_values_and_macros_count_as_absent(name: str, value: str) -> None:
    assert read({name: value}) == Parameters()


@pytest.mark.parametrize("note", ["${A} failed", "$STATUS", "${A}${B}", "{A}", "%24{A}", " "])
def test_a_note_around_a_macro_is_a_note(note: str) -> None:
    assert read({"note": note}).note == note


@pytest.mark.promise("S9")
@pytest.mark.parametrize("name", NAMES)
def test_unstorable_text_is_refused_by_name(name: str) -> None:
    assert refused(**{name: "a\0b"}) == f"parameter {name}: holds a NUL character"
    assert refused(**{name: "\udcff"}).startswith(f"parameter {name}: holds a lone surrogate")


@pytest.mark.promise("S14")
def test_a_note_of_any_signs_up_to_a_mebibyte() -> None:
    note = "\r\n\x1b[31m%n " + "x" * (1024 * 1024 - 10)
    assert read({"note": note}).note == note
    assert refused(note="x" * (1024 * 1024 + 1)) == "parameter note: is larger than 1048576 bytes"


def test_event_and_name_are_the_same_thing() -> None:
    assert read({"name": "run"}).name == "run"
    assert read({"name": "run"}).name_place == "parameter name"
    assert read({"event": "run"}).name_place == "parameter event"
    assert read({"event": "run", "name": "run"}).name == "run"
    assert read({"event": "run", "name": "${EVENT}"}).name == "run"
    assert refused(event="run", name="finish").startswith("parameter event: says another event than parameter name")


def test_wrong_values_are_named() -> None:
    assert refused(uuid="107").startswith("parameter uuid: is not a UUID")
    assert refused(event="FINISH").startswith("parameter event: is not exactly an event's name; write finish")
    assert refused(name="updated").startswith('parameter name: "updated" is not an event')


def test_status_counts_for_more_than_state() -> None:
    assert read({"status": "A", "state": "B"}).status == "A"
    assert read({"state": "B"}).status == "B"
    assert read({"status": "${STATUS}", "state": "B"}).status == "B"
    assert read({"status": "", "state": "B"}).status == "B"


@pytest.mark.parametrize("event_id", ["a", " ", "~" * 128, "107-a/b:c d"])
def test_event_ids(event_id: str) -> None:
    assert read({"x_event_id": event_id}).event_id == event_id


@pytest.mark.parametrize("event_id", ["a" * 129, "caf\xe9", "a\nb", "\x7f", "\u0661"])
def test_event_ids_are_short_printable_ascii(event_id: str) -> None:
    assert refused(x_event_id=event_id) == "parameter x_event_id: must be 1 to 128 printable ASCII characters"
