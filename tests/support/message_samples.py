"""Bodies and shortcuts that the tests of messages share."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.reader import read
from pipelinejobs.util.errors import Malformed

JOB = "1073f4ff-c2b9-5190-bd9a-e6a406d9796a"
OTHER_JOB = "107b93f3-1eae-5e79-8a18-0a480f8aa3a5"
TOKEN = "0dc73dc3ff39b49a"
DATA = Path(__file__).resolve().parents[1] / "data"


def sample(name: str) -> dict[str, Any]:
    """One of the sample bodies, a copy that the test may change."""
    body: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return body


def delivery(
    body: object = None,
    parameters: Mapping[str, str] | None = None,
    *,
    literal: bool = True,
    execution: str = "exec-1",
) -> Delivery:
    """A delivery of a body: text as it is, anything else as JSON."""
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return Delivery(id=execution, body=text, parameters=parameters or {}, sender="jdoe", literal=literal)


def event_of(body: object = None, **parameters: str) -> Event:
    """The event that such a delivery means."""
    return read(delivery(body, parameters))


def refusal_of(body: object = None, **parameters: str) -> str:
    """The reason for which such a delivery is refused."""
    with pytest.raises(Malformed) as caught:
        read(delivery(body, parameters))
    return caught.value.reason


def token_of(event: Event) -> str | None:
    """The text of an event's one token."""
    assert len(event.tokens) < 2
    return next((token.reveal() for token in event.tokens), None)
