"""Callbacks of Agave and Aloe."""

from typing import Any

import pytest

from pipelinejobs.messages import agave
from pipelinejobs.messages.report import Report
from support.message_samples import sample

AGAVE_KEYS = ["appId", "executionSystem", "owner", "status", "_links"]
ALOE_KEYS = ["appId", "executionSystem", "owner", "status", "tenantId", "tenantQueue"]


def read(body: dict[str, Any], status: str | None = None) -> Report:
    report = agave.read(body, status)
    assert report is not None
    return report


@pytest.mark.parametrize("system", ["agave", "aloe"])
def test_the_sample_is_recognised(system: str) -> None:
    body = sample(f"{system}-callback")
    report = read(body)
    assert (report.system, report.job, report.status) == (system, body["id"], "RUNNING")
    assert report.notification is None


@pytest.mark.parametrize("system", ["agave", "aloe"])
def test_the_data_is_the_body_without_what_is_bulky(system: str) -> None:
    body = sample(f"{system}-callback")
    body["inputs"] = {"_links": 1, "retries": 2}
    data = read(body).data
    assert set(body) - set(data) == {"_links", "retries", "localId"} & set(body)
    assert all(data[key] == body[key] for key in data)


@pytest.mark.parametrize(("system", "keys"), [("agave", AGAVE_KEYS), ("aloe", ALOE_KEYS)])
def test_the_keys_that_it_is_recognised_by(system: str, keys: list[str]) -> None:
    body = sample(f"{system}-callback")
    minimal = {key: body[key] for key in keys}
    assert read(minimal).system == system
    for key in keys:
        without = {name: value for name, value in minimal.items() if name != key}
        assert agave.read(without) is None, key
        for wrong in (None, 5, [], {} if key != "_links" else "text"):
            assert agave.read(minimal | {key: wrong}) is None, (key, wrong)


def test_aloe_has_no_links() -> None:
    body = sample("aloe-callback")
    assert read(body | {"_links": {}}).system == "agave"
    assert agave.read(body | {"_links": None}) is None


@pytest.mark.parametrize("system", ["agave", "aloe"])
def test_the_id_is_text_or_nothing(system: str) -> None:
    body = sample(f"{system}-callback")
    assert agave.read(body | {"id": 5}) is None
    assert agave.read(body | {"id": None}) is None
    assert read(body | {"id": ""}).job is None
    del body["id"]
    assert read(body).job is None


@pytest.mark.parametrize("system", ["agave", "aloe"])
def test_the_parameter_counts_for_more_than_the_body(system: str) -> None:
    assert read(sample(f"{system}-callback"), "finished").status == "FINISHED"
    assert read(sample(f"{system}-callback") | {"status": "failed"}).status == "FAILED"


def test_other_bodies_are_not_recognised() -> None:
    for body in ({}, {"status": "RUNNING"}, sample("tapis-notification")):
        assert agave.read(body) is None
