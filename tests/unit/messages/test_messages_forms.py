"""What is said of a body that is no form of message."""

from typing import Any

import pytest

from pipelinejobs.messages.forms import NO_FORM, Form, form_of
from support.message_samples import JOB, refusal_of, sample


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"uuid": JOB}, Form.EVENT),
        ({"event": "run"}, Form.EVENT),
        ({"token": "x", "more": 1}, Form.EVENT),
        ({"uuid": JOB, "name": "run", "status": "x"}, Form.EVENT),
        ({"appId": "a", "status": "x"}, Form.AGAVE),
        ({"_links": {}, "tenantId": "t"}, Form.AGAVE),
        ({"tenantId": "t", "owner": "o"}, Form.ALOE),
        ({"event": {}}, Form.TAPIS),
        ({"subscriptionName": "jobs~x"}, Form.TAPIS),
        ({"status": "RUNNING"}, None),
        ({}, None),
        ({"a": 1}, None),
        (sample("agave-callback"), Form.AGAVE),
        (sample("aloe-callback"), Form.ALOE),
        (sample("tapis-notification"), Form.TAPIS),
        (sample("agave-callback") | {"deliveryTarget": {}, "event": {}, "uuid": JOB}, Form.AGAVE),
    ],
)
def test_the_form_that_it_looks_like(body: dict[str, Any], form: Form | None) -> None:
    assert form_of(body) is form


def without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


AGAVE = sample("agave-callback")
ALOE = sample("aloe-callback")
TAPIS = sample("tapis-notification")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, f"body: {NO_FORM}"),
        ({}, f"body: {NO_FORM}"),
        ({"any": "object"}, f"body: {NO_FORM}"),
        ({"uuid": JOB}, "name: is missing"),
        ({"name": "run"}, "uuid: is missing"),
        ({"uuid": JOB, "event": "run"}, "event: is not a key of a JSON event; its name goes under `name`"),
        (without(AGAVE, "appId"), "appId: is missing from what looks like an Agave callback"),
        (without(AGAVE, "_links"), "_links: is missing from what looks like an Agave callback"),
        (AGAVE | {"status": 5}, "status: must be text, not a number"),
        (AGAVE | {"_links": None}, "_links: must be an object, not null"),
        (AGAVE | {"id": 5}, "id: must be text, not a number"),
        (without(ALOE, "tenantQueue"), "tenantQueue: is missing from what looks like an Aloe callback"),
        (ALOE | {"tenantId": None}, "tenantId: must be text, not null"),
        (without(TAPIS, "event"), "event: is missing from what looks like a Tapis notification"),
        (TAPIS | {"event": None}, "event: must be an object, not null"),
        (TAPIS | {"event": {}}, "event.type: is missing from what looks like a Tapis notification"),
        (TAPIS | {"event": {"type": 5}}, "event.type: must be text, not a number"),
        (
            TAPIS | {"event": {"type": "files.X"}},
            "event.type: must begin with `jobs.`: of Tapis, only the notifications of Jobs are read",
        ),
    ],
)
def test_the_reason_names_its_first_problem(body: dict[str, Any] | None, reason: str) -> None:
    assert refusal_of(body, uuid=JOB) == reason
