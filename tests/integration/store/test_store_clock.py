"""What is due is asked of the database's clock: ours may be an hour off, and another host's too."""

from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
from pymongo import MongoClient

from pipelinejobs.store import Store
from support.factories import NOW, catalogued


class HourOff(datetime):
    """Our clock, an hour ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(hours=1)


@pytest.mark.promise("F12")
def test_what_is_due_does_not_depend_on_our_clock(
    store: Store, jobs: Any, mongodb_client: MongoClient[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("connection", "outbox"):
        monkeypatch.setattr(f"pipelinejobs.store.{module}.datetime", HourOff)
    told = mongodb_client.admin.command("hello")["localTime"]
    assert abs(store.outbox.now().replace(tzinfo=None) - told) < timedelta(minutes=1)

    row = {"id": "1", "name": "index", "life": "l", "status": "pending", "attempts": 0, "error": None, "created": NOW}
    job = catalogued("job-finished.json") | {"_outbox": [row | {"next": told + timedelta(minutes=10)}]}
    jobs.insert_one(job)
    assert list(store.outbox.rows(due=store.outbox.now())) == []
