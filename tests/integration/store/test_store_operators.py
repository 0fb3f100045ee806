"""Names from outside are values in every query: an operator in the place of one is a name that nothing has.

The readers of messages let no such name through; this is the line behind them.
"""

from collections.abc import Callable
from typing import Any, Final

import pytest

from pipelinejobs.store import Store
from support.factories import NOW, a_job, catalogued

ASK: Final[dict[str, Callable[[Store, Any], Any]]] = {
    "a job's document": lambda store, name: store.jobs.document(name),
    "a job's outline": lambda store, name: store.jobs.outline(name),
    "a job's history": lambda store, name: list(store.history.entries(name)),
    "a page of it": lambda store, name: store.history.page(name, 0, 10),
    "what a job owes": lambda store, name: list(store.outbox.rows(job=name)),
    "a question to its job system": lambda store, name: store.asked.of(a_job(uuid=name, life=name)),
    "what was refused": lambda store, name: list(store.refused.of(name)),
    "a pipeline": lambda store, name: store.pipelines.has_pipeline(name),
    "an execution": lambda store, name: store.executions.find(name, name),
    "an actor's executions": lambda store, name: store.executions.newest(name, 10),
    "an actor's nonces": lambda store, name: store.nonces.of(name),
}


@pytest.mark.promise("S6")
@pytest.mark.parametrize("operator", [{"$ne": None}, {"$gt": ""}, {"$regex": "."}, {"$exists": True}], ids=str)
@pytest.mark.parametrize("what", ASK)
def test_an_operator_is_a_name_that_nothing_has(store: Store, jobs: Any, what: str, operator: Any) -> None:
    row: dict[str, Any] = {"id": "1", "name": "index", "life": "l", "status": "pending", "attempts": 0, "error": None}
    row |= {"next": NOW, "created": NOW}
    jobs.insert_one(catalogued("job-finished.json") | {"_outbox": [row]})
    everywhere = {"uuid": "u", "job": "u", "life": "u", "actor": "u", "place": "u", "received": 0}
    for collection in ("pipelines", "jobs_asked", "jobs_refused", "gateway_executions", "gateway_nonces"):
        jobs.database[collection].insert_one({"_id": "u", **everywhere})
    assert not ASK[what](store, operator)
