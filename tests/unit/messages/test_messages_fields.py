"""The job's uuid and the event's name."""

import pytest

from fsm.lifecycle import EVENTS
from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.util.errors import Malformed

JOB = "1073f4ff-c2b9-5190-bd9a-e6a406d9796a"


@pytest.mark.parametrize("uuid", [JOB, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_canonical_uuids(uuid: str) -> None:
    assert job_uuid(uuid, "uuid") == uuid


@pytest.mark.promise("S6")
@pytest.mark.promise("S17")
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (JOB.upper(), "is a UUID with upper-case letters; write it in lower case"),
        (JOB + "\u00a0", "has more than the UUID; send only its 36 characters"),
        (JOB + "\n" + JOB, "has more than the UUID; send only its 36 characters"),
        ("{" + JOB + "}", "has more than the UUID; send only its 36 characters"),
        ("urn:uuid:" + JOB, "has more than the UUID; send only its 36 characters"),
        (JOB.replace("-", ""), "is not a UUID in canonical form, such as " + JOB),
        (JOB[:-1], "is not a UUID in canonical form, such as " + JOB),
        (JOB.replace("1", "\u0661"), "is not a UUID in canonical form, such as " + JOB),
        ("0dc73dc3ff39b49a", "is not a UUID in canonical form, such as " + JOB),
        ("", "is not a UUID in canonical form, such as " + JOB),
        ("0" * 1_000_000, "is not a UUID in canonical form, such as " + JOB),
        ("1073f4ff-" * 100_000, "is not a UUID in canonical form, such as " + JOB),
        ({"$ne": None}, "must be text, not an object"),
        ([JOB], "must be text, not a list"),
        (None, "must be text, not null"),
        (107, "must be text, not a number"),
    ],
)
def test_other_uuids_are_refused_with_a_hint(value: object, problem: str) -> None:
    with pytest.raises(Malformed) as caught:
        job_uuid(value, "parameter uuid")
    assert caught.value.reason == f"parameter uuid: {problem}"


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_of_the_lifecycle_is_a_name(name: str) -> None:
    assert event_name(name, "name") == name


@pytest.mark.parametrize("around", [" {}", "{}\n", "\r\n\t{} \v\f"])
def test_blanks_and_the_case_of_an_event_do_not_count(around: str) -> None:
    assert job_uuid(around.format(JOB), "uuid") == JOB
    for name in ("finish", "FINISH", "Finish"):
        assert event_name(around.format(name), "name") == "finish"


@pytest.mark.promise("S8")
@pytest.mark.parametrize(
    "name",
    [
        "may_reset",
        "trigger",
        "states",
        "__class__",
        "",
        "f\u0131nish",
        "re\u017fet",
        "fin ish",
        "run\u00a0",
        "update\ud800",
        "x" * 100_000,
        "\x1b[31m",
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        event_name(name, "name")
    reason = caught.value.reason
    assert "the events are run, update, resource, fail, finish, index, indexed, validate," in reason
    assert "create" not in reason
    assert len(reason) < 300
    assert reason.isascii()
    assert reason.isprintable()


@pytest.mark.promise("P6")
def test_a_token_in_the_wrong_place_is_not_repeated() -> None:
    for check in (event_name, job_uuid):
        with pytest.raises(Malformed) as caught:
            check("0dc73dc3ff39b49a", "name")
        assert "0dc73dc3ff39b49a" not in caught.value.reason


@pytest.mark.parametrize("value", [None, 5, True, [], {"$regex": ".*"}])
def test_a_name_is_text(value: object) -> None:
    with pytest.raises(Malformed, match=r"^name: must be text, not "):
        event_name(value, "name")
