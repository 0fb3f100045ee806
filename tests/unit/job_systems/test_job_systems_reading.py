"""What counts as the status of a job, and what does not."""

import copy
import json
from typing import Any

import pytest
from bson import BSON
from hypothesis import example, given
from hypothesis import strategies as st

from pipelinejobs.job_systems.answer import Answer, Found
from pipelinejobs.job_systems.reading import LARGEST, read
from pipelinejobs.messages.statuses import EVENT_OF
from pipelinejobs.util.http_json import JsonAnswer

JOB = "4023-007"
GOOD: dict[str, Any] = {
    "status": "success",
    "message": None,
    "version": "2.2",
    "result": {"id": JOB, "status": "RUNNING", "_links": {"self": {"href": "https://api.example.org"}}},
}

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=10,
)


def good(**result: Any) -> dict[str, Any]:
    return {**copy.deepcopy(GOOD), "result": {**GOOD["result"], **result}}


def asked(document: object, status: int = 200, job: str = JOB) -> Answer:
    return read(JsonAnswer(status, document), job, "api.example.org")


def why(document: object, status: int = 200) -> str:
    """Why an answer says nothing about the job."""
    answer = asked(document, status)
    assert (answer.found, answer.status, answer.body) == (Found.UNANSWERED, None, {})
    return answer.why


def test_a_good_answer_is_a_status_with_its_result() -> None:
    answer = asked(GOOD)
    assert answer == (
        Found.STATUS,
        "RUNNING",
        {"id": JOB, "status": "RUNNING"},
        "api.example.org answered 200: RUNNING",
    )


@pytest.mark.parametrize("word", sorted(EVENT_OF))
def test_every_known_status_is_read_however_it_is_written(word: str) -> None:
    assert [
        asked(good(status=f"{around}{spelled}{around}")).status
        for around in ("", " ", "\ufeff")
        for spelled in (word, word.lower(), word.title())
    ] == [word] * 9


def test_tapis_repeats_no_id() -> None:
    answer = asked({"status": "success", "result": {"status": "QUEUED", "condition": "NORMAL"}})
    assert (answer.status, answer.body) == ("QUEUED", {"status": "QUEUED", "condition": "NORMAL"})


@pytest.mark.parametrize("envelope", ["success", "error"])
def test_a_404_in_both_spellings_is_unknown(envelope: str) -> None:
    answer = asked({"status": envelope, "message": "No job found", "result": None}, 404)
    assert answer == (
        Found.UNKNOWN,
        None,
        {},
        "api.example.org answered 404: no such job, or not visible to this credential",
    )


def test_a_404_of_something_else_is_doubted() -> None:
    answer = asked(None, 404)
    assert answer.found is Found.UNKNOWN
    assert answer.why.endswith("or this is not the API of a job system (the answer is not in its envelope)")


def test_a_403_is_not_ours_to_see() -> None:
    answer = asked(GOOD, 403)
    assert answer == (Found.UNKNOWN, None, {}, "api.example.org answered 403: this credential may not see the job")


@pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 307, 400, 401, 405, 410, 418, 500, 502, 503, 599])
def test_no_other_status_than_200_is_believed(status: int) -> None:
    assert why(GOOD, status).startswith(f"api.example.org answered {status}")


@pytest.mark.promise("S26")
@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "without a JSON object"),
        ([GOOD], "without a JSON object"),
        ("FINISHED", "without a JSON object"),
        ({}, "without the envelope of a success"),
        (GOOD["result"], "without the envelope of a success"),
        (GOOD | {"status": "error"}, "without the envelope of a success"),
        (GOOD | {"status": "SUCCESS"}, "without the envelope of a success"),
        (GOOD | {"status": True}, "without the envelope of a success"),
        (GOOD | {"result": None}, "without a text in result.status"),
        (GOOD | {"result": [GOOD["result"]]}, "without a text in result.status"),
        (GOOD | {"result": {"id": JOB}}, "without a text in result.status"),
        (good(status=None), "without a text in result.status"),
        (good(status=["FINISHED"]), "without a text in result.status"),
        (good(id="4024-007"), "about another job than the one that was asked for"),
        (good(id=JOB.lower() + " "), "about another job than the one that was asked for"),
        (good(id=4023), "about another job than the one that was asked for"),
        (good(uuid="4024-007"), "about another job than the one that was asked for"),
        (good(status="HIBERNATING"), "with a status that is not known here: HIBERNATING"),
        (good(status=""), "with a status that is not known here: of another form"),
        (good(status="FINISHED FAILED"), "with a status that is not known here: of another form"),
        (good(status="FINISHED\nFAILED"), "with a status that is not known here: of another form"),
        (good(status="3b1fd93c"), "with a status that is not known here: of another form"),
    ],
)
def test_what_is_not_a_success_about_this_job_says_nothing(document: object, reason: str) -> None:
    assert why(document) == f"api.example.org answered 200 {reason}"


@pytest.mark.promise("S26")
@given(document=any_json, status=st.sampled_from([200, 200, 200, 401, 403, 404, 500]) | st.integers(100, 999))
def test_no_odd_document_is_a_status_or_an_error(document: object, status: int) -> None:
    assert asked(document, status).found is not Found.STATUS


@pytest.mark.promise("S26")
@given(result=st.dictionaries(st.sampled_from(["id", "uuid", "status", "x"]), any_json | st.just(JOB), max_size=4))
@example({"status": "FINISHED", "id": JOB, "uuid": JOB})
def test_a_status_is_a_known_word_about_the_job_that_was_asked_for(result: dict[str, Any]) -> None:
    answer = asked(GOOD | {"result": result})
    if answer.found is Found.STATUS:
        assert answer.status in EVENT_OF
        assert {result.get("id"), result.get("uuid")} <= {JOB, None}
    else:
        assert (answer.found, answer.status, answer.body) == (Found.UNANSWERED, None, {})


@given(more=st.dictionaries(st.text(st.characters()), any_json, max_size=5))
@example({"a\0": 1})
@example({"a": "\ud800", "b": 2**70, "c": float("nan"), "d": [[1]]})
def test_the_body_can_be_stored(more: dict[str, Any]) -> None:
    answer = asked(good(**{f"x{key}": value for key, value in more.items()}))
    assert answer.found is Found.STATUS
    assert answer.body["status"] == "RUNNING"
    BSON.encode(answer.body)
    assert len(json.dumps(answer.body)) <= LARGEST + 2


def test_what_is_bulky_is_left_out_of_the_body() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    body = asked(good(big="x" * 5000, deep=deep, condition="NORMAL", **{f"k{n}": "y" * 100 for n in range(1000)})).body
    assert body.keys() > {"id", "status", "condition"}
    assert not body.keys() & {"big", "deep", "_links"}
    assert len(json.dumps(body)) <= LARGEST
