"""The types of answers in both dialects."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_type_hints

import pytest
from pydantic import TypeAdapter

from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.http.envelope import Dialect, failure, success, time


def keys(shape: Any) -> set[str]:
    return set(get_type_hints(shape))


def test_snake_case() -> None:
    assert [schemas.snake(key) for key in ("executionId", "_links", "id", "messageReceivedTime")] == [
        "execution_id",
        "_links",
        "id",
        "message_received_time",
    ]


def test_a_type_in_snake_case() -> None:
    converted = schemas.in_snake_case(schemas.Executions)
    assert "total_executions" in keys(converted)
    schema = TypeAdapter(converted).json_schema()
    assert "message_received_time" in str(schema)
    assert "messageReceivedTime" not in str(schema)
    assert schemas.in_snake_case(schemas.Executions) is converted
    assert "actor_id" not in TypeAdapter(schemas.in_snake_case(schemas.Nonce)).json_schema()["required"]


def test_values_in_snake_case() -> None:
    value = {"executionId": "x", "msg": {"camelCase": 1}, "job": {"uuid": "u", "lastEvent": None}, "_links": {"aB": ""}}
    assert schemas.with_snake_keys(value, schemas.Message) == {
        "execution_id": "x",
        "msg": {"camelCase": 1},
        "job": {"uuid": "u", "last_event": None},
        "_links": {"aB": ""},
    }
    listed = [{"maxUses": 1}]
    assert schemas.with_snake_keys(listed, list[schemas.Nonce]) == [{"max_uses": 1}]
    assert schemas.with_snake_keys(None, None) is None


def test_envelopes() -> None:
    assert bytes(success({"messages": 1, "_links": {}}, schemas.Mailbox).body).startswith(
        b'{"message":"The request was succ'
    )
    assert b'"metadata":{}' in bytes(success(None, None, Dialect.V3).body)
    refused = failure(503, "why", None, Dialect.V2, {"Retry-After": "1"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert b'"status":"error"' in bytes(refused.body)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "None"),
        (datetime(2019, 1, 1, tzinfo=UTC), "2019-01-01T00:00:00.000Z"),
        (datetime(2019, 1, 1, 0, 0, 0, 123999, tzinfo=UTC), "2019-01-01T00:00:00.123Z"),
        (datetime(2019, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2019-01-01T00:00:00.000Z"),
    ],
)
def test_times(moment: datetime | None, text: str) -> None:
    assert time(moment) == text
