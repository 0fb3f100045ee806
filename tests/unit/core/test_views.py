"""What may be shown of a stored job, and in what form."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from bson import DBRef, Decimal128, Int64, ObjectId, Regex, Timestamp

from pipelinejobs.core.views import plain, public_job
from support.factories import catalogued

SECRET = {
    "_id": 1,
    "_salt": "canary",
    "_salts": ["canary"],
    "_token_pin": "canary",
    "_outbox": [{"id": "canary"}],
    "_externals": [{"id": "canary"}],
    "_life": "canary",
    "_attempt": "canary",
    "_moved": 1,
    "_token": "canary",
    "_enforce_auth": "canary",
    "_anything": "canary",
    "token": "canary",
    "job_manager_nonce": "canary",
    "password": "canary",
    "history": ["canary"],
    "updates": ["canary"],
}


@pytest.mark.promise("S18")
def test_a_public_job() -> None:
    document = catalogued("job-finished.json")
    shown = public_job(document | SECRET)
    assert "canary" not in str(shown)
    kept = {name for name in document if not name.startswith("_") and name != "history"}
    assert set(shown) == kept | {"_admin", "_properties", "_visible"}
    assert shown["data"] == document["data"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime(2026, 11, 24, 12, 0, tzinfo=UTC), "2026-11-24T12:00:00Z"),
        (datetime(2026, 11, 24, 14, 0, tzinfo=timezone(timedelta(hours=2))), "2026-11-24T12:00:00Z"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=2))), "0001-01-01T00:00:00+02:00"),
        (ObjectId("0" * 24), "0" * 24),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (1.5, 1.5),
        (Int64(2**62), 2**62),
        (Decimal128("1.5"), "1.5"),
        (b"x", "b'x'"),
        ((1, None, True), [1, None, True]),
        ({1: {"a": [ObjectId("1" * 24)]}}, {"1": {"a": ["1" * 24]}}),
    ],
)
def test_plain(value: Any, shown: Any) -> None:
    assert plain(value) == shown


@pytest.mark.parametrize("value", [Timestamp(1, 1), Regex("x"), DBRef("a", 1), object])
def test_whatever_else_is_text(value: Any) -> None:
    assert isinstance(plain(value), str)


def test_a_time_is_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert plain(datetime(2026, 11, 24, 12, 0, tzinfo=UTC)) == "2026-11-24T12:00:00Z"
    time.tzset()


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}], ids=["array", "object"])
def test_what_lies_deeper_than_200_levels_is_left_out(wrap: Callable[[Any], Any]) -> None:
    value: Any = "deepest"
    for _ in range(200):
        value = wrap(value)
    assert "deepest" in str(plain(value))
    assert "deepest" not in str(plain(wrap(value)))
    assert "'...'" in str(plain(wrap(value)))


def test_no_depth_is_too_deep() -> None:
    value: Any = 1
    for _ in range(5000):
        value = [value]
    assert str(plain(value)).startswith("[[[")
