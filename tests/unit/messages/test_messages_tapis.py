"""Notifications of Tapis."""

import json
from typing import Any

import pytest

from pipelinejobs.messages import tapis
from pipelinejobs.messages.report import Report
from support.message_samples import sample


def notification(**event: Any) -> dict[str, Any]:
    """The sample with other values in its event; `...` takes a key away."""
    body = sample("tapis-notification")
    changed = {**body["event"], **event}
    return body | {"event": {key: value for key, value in changed.items() if value is not ...}}


def read(**event: Any) -> Report:
    report = tapis.read(notification(**event))
    assert report is not None
    return report


def test_the_sample_is_recognised() -> None:
    report = read()
    assert report.system == "tapis"
    assert report.job == "5e2d7a90-3c41-4b68-9f07-c8a1d6e4b253-007"
    assert report.status == "FINISHED"
    assert report.notification == "1f6b8e24-9c3d-4a75-b0e1-72d5f4a8c960"


@pytest.mark.promise("P6")
def test_the_data_is_the_body_without_the_address() -> None:
    body = sample("tapis-notification")
    data = read().data
    assert set(body) - set(data) == {"deliveryTarget"}
    assert data["event"] == body["event"]
    assert "x-nonce" not in json.dumps(data)


@pytest.mark.parametrize(
    "kind",
    [..., None, 5, "", "jobs", "Jobs.JOB_NEW_STATUS.FINISHED", "files.FILE_NEW.x", "xjobs.JOB_NEW_STATUS.RUNNING"],
)
def test_other_types_are_not_recognised(kind: object) -> None:
    assert tapis.read(notification(type=kind)) is None


@pytest.mark.parametrize("event", [None, "jobs.JOB_NEW_STATUS.FINISHED", [], {}])
def test_other_events_are_not_recognised(event: object) -> None:
    assert tapis.read({"event": event}) is None
    assert tapis.read({}) is None


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": "FINISHED"}', "FINISHED"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": "finished"}', "FINISHED"),
        ("jobs.JOB_NEW_STATUS.running", None, "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", ..., "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", {"newJobStatus": "FINISHED"}, "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", "not JSON", "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", "", "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", "[]", "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", "{}", "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": null}', "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": 5}', "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": ""}', "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": "\\ud800"}', "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": "A\\u0000"}', "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": "A", "newJobStatus": "B"}', "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus": NaN}', "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", "9" * 5000, "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", "[" * 100_000, "RUNNING"),
        ("jobs.JOB_NEW_STATUS.RUNNING", '{"newJobStatus":' * 60_000, "RUNNING"),
        ("jobs.JOB_NEW_STATUS.a.b.RUNNING", None, "RUNNING"),
        ("jobs.JOB_NEW_STATUS", None, None),
        ("jobs.JOB_NEW_STATUS.", None, ""),
        ("jobs.", None, None),
        ("jobs.JOB_ERROR_MESSAGE.FAILED", '{"newJobStatus": "FAILED"}', None),
        ("jobs.JOB_USER_EVENT.FINISHED", '{"newJobStatus": "FINISHED"}', None),
        ("jobs.JOB_INPUT_TRANSACTION_ID.FINISHED", None, None),
        ("jobs.job_new_status.FINISHED", None, None),
    ],
)
def test_only_a_new_status_carries_a_status(kind: str, data: object, status: str | None) -> None:
    assert read(type=kind, data=data).status == status


@pytest.mark.parametrize("value", [..., None, "", 5, [], {}])
def test_ids_that_are_no_text_are_none(value: object) -> None:
    assert read(subject=value).job is None
    body = notification(uuid=value) | {"eventUuid": value}
    report = tapis.read(body)
    assert report is not None
    assert report.notification is None


def test_the_event_s_id_may_stand_beside_the_event() -> None:
    assert read(uuid=None).notification == "1f6b8e24-9c3d-4a75-b0e1-72d5f4a8c960"


def test_what_it_says_is_its_event_whatever_is_around_it() -> None:
    first = notification(uuid=..., received=None) | {"uuid": "n1", "subscriptionName": "a"}
    second = notification(uuid=...) | {"uuid": "n2", "subscriptionName": "b", "created": "later"}
    assert tapis.content(first) == tapis.content(second)
    assert tapis.content(first) != tapis.content(notification(uuid=..., type="jobs.JOB_NEW_STATUS.FAILED"))
