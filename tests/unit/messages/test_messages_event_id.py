"""The id by which a repetition is known."""

import hashlib

import pytest

from pipelinejobs.messages.event_id import of_delivery, of_report
from pipelinejobs.messages.report import Report

REPORT = Report(system="agave", job="4183-007", status="RUNNING", data={}, content={"b": 1, "a": ["\xe9"]})


def test_of_a_delivery() -> None:
    assert of_delivery("mine", "exec-1") == "sender:mine"
    assert of_delivery(None, "exec-1") == "execution:exec-1"


def test_of_a_report_is_a_digest_of_canonical_json() -> None:
    said = b'["report-1","agave","4183-007","RUNNING",{"a":["\\u00e9"],"b":1}]'
    assert of_report(REPORT) == f"sha256:{hashlib.sha256(said).hexdigest()}"


def test_the_order_of_keys_does_not_matter() -> None:
    assert of_report(REPORT._replace(content={"a": ["\xe9"], "b": 1})) == of_report(REPORT)


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    "other",
    [
        REPORT._replace(system="aloe"),
        REPORT._replace(job="4183-00"),
        REPORT._replace(status="FINISHED"),
        REPORT._replace(status=None),
        REPORT._replace(content={"b": 1, "a": ["e"]}),
        REPORT._replace(content={"b": True, "a": ["\xe9"]}),
        REPORT._replace(job="4183-007R", status="UNNING"),
    ],
)
def test_what_it_says_does(other: Report) -> None:
    assert of_report(other) != of_report(REPORT)


def test_the_systems_own_id_comes_first() -> None:
    assert of_report(REPORT._replace(system="tapis", notification="n-1")) == "tapis:n-1"
