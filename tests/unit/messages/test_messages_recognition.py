"""What is said of a body that is no form of message."""

from typing import Any

import pytest

from pipelinejobs.messages.agave import AGAVE, ALOE
from pipelinejobs.messages.form import Form
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.recognition import NO_FORM, form_of
from pipelinejobs.messages.tapis import TAPIS
from support.message_samples import JOB, refusal_of, sample


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"uuid": JOB}, EVENT),
        ({"event": "run"}, EVENT),
        ({"token": "x", "more": 1}, EVENT),
        ({"uuid": JOB, "name": "run", "status": "x"}, EVENT),
        ({"appId": "a", "status": "x"}, AGAVE),
        ({"_links": {}, "tenantId": "t"}, AGAVE),
        ({"tenantId": "t", "owner": "o"}, ALOE),
        ({"event": {}}, TAPIS),
        ({"subscriptionName": "jobs~x"}, TAPIS),
        ({"status": "RUNNING"}, None),
        ({}, None),
        ({"a": 1}, None),
        (sample("agave-callback"), AGAVE),
        (sample("aloe-callback"), ALOE),
        (sample("tapis-notification"), TAPIS),
        (sample("agave-callback") | {"deliveryTarget": {}, "event": {}, "uuid": JOB}, AGAVE),
    ],
)
def test_the_form_that_it_looks_like(body: dict[str, Any], form: Form | None) -> None:
    assert form_of(body) is form


def without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


AN_AGAVE = sample("agave-callback")
AN_ALOE = sample("aloe-callback")
A_TAPIS = sample("tapis-notification")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, f"body: {NO_FORM}"),
        ({}, f"body: {NO_FORM}"),
        ({"any": "object"}, f"body: {NO_FORM}"),
        ({"uuid": JOB}, "name: is missing"),
        ({"name": "run"}, "uuid: is missing"),
        ({"uuid": JOB, "event": "run"}, "event: is not a key of a JSON event; put the event's name under `name`"),
        (without(AN_AGAVE, "appId"), "appId: is missing from what looks like an Agave callback"),
        (without(AN_AGAVE, "_links"), "_links: is missing from what looks like an Agave callback"),
        (AN_AGAVE | {"status": 5}, "status: must be text, not a number"),
        (AN_AGAVE | {"_links": None}, "_links: must be an object, not null"),
        (AN_AGAVE | {"id": 5}, "id: must be text, not a number"),
        (without(AN_ALOE, "tenantQueue"), "tenantQueue: is missing from what looks like an Aloe callback"),
        (AN_ALOE | {"tenantId": None}, "tenantId: must be text, not null"),
        (without(A_TAPIS, "event"), "event: is missing from what looks like a Tapis notification"),
        (A_TAPIS | {"event": None}, "event: must be an object, not null"),
        (A_TAPIS | {"event": {}}, "event.type: is missing from what looks like a Tapis notification"),
        (A_TAPIS | {"event": {"type": 5}}, "event.type: must be text, not a number"),
        (
            A_TAPIS | {"event": {"type": "files.X"}},
            "event.type: must begin with `jobs.`: the only notifications of Tapis that are read are those of Jobs",
        ),
    ],
)
def test_the_reason_names_its_first_problem(body: dict[str, Any] | None, reason: str) -> None:
    assert refusal_of(body, uuid=JOB) == reason
