"""The MongoDB indexes, made by `doctor --fix`, by the gateway, and by `create` on the embedded server.

Making an index that exists does nothing, so several processes may do this, at any time.
"""

from dataclasses import dataclass
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import OperationFailure

from pipelinejobs.store.asked import KEPT_DAYS as ASKED_DAYS
from pipelinejobs.store.connection import Document, translated
from pipelinejobs.store.new_jobs import INDEX as NEW_TOKENS
from pipelinejobs.util.errors import CommandFailed

_DAY: Final = 86400
_CONFLICTS: Final = frozenset({85, 86, 11000})  # IndexOptionsConflict, IndexKeySpecsConflict, DuplicateKey


@dataclass(frozen=True, slots=True)
class Days:
    """After how many days MongoDB removes documents: the settings `refused.days` and `gateway.executions_days`."""

    refused: int = 30
    executions: int = 2


def wanted(days: Days) -> dict[str, list[IndexModel]]:
    """The indexes of each collection. Each index costs time at every event, so there are no more than necessary."""
    return {
        "jobs": [
            # Defined as in python-datacatalog, so that either program may make it.
            IndexModel([("uuid", ASCENDING)], name="uuid_1", unique=True, sparse=True),
            # Contains only jobs with messages in their outbox.
            IndexModel(
                [("_outbox.status", ASCENDING), ("_outbox.next", ASCENDING)],
                name="outbox_due",
                partialFilterExpression={"_outbox.status": {"$exists": True}},
            ),
            # Contains only jobs without events; finds those whose token is not remembered.
            IndexModel(
                [("_tokens", ASCENDING), ("_id", DESCENDING)],
                name=NEW_TOKENS,
                partialFilterExpression={"_properties.revision": 0},
            ),
            # For lists of jobs and the change feed. Filters scan it in this order: an index for each filter would
            # cost a write at each event, and save time only when that filter is used.
            IndexModel([("updated", DESCENDING), ("_id", DESCENDING)], name="newest"),
        ],
        "jobs_history": [IndexModel([("life", ASCENDING), ("seq", ASCENDING)], name="life_seq")],
        "jobs_journal": [IndexModel([("applied", ASCENDING)], name="oldest")],
        "jobs_asked": [IndexModel([("asked", ASCENDING)], name="expiry", expireAfterSeconds=ASKED_DAYS * _DAY)],
        "jobs_refused": [
            IndexModel([("job", ASCENDING), ("date", ASCENDING)], name="job_date"),
            IndexModel([("date", ASCENDING)], name="expiry", expireAfterSeconds=days.refused * _DAY),
        ],
        "gateway_nonces": [
            IndexModel([("place", ASCENDING)], name="place"),
            IndexModel([("expires", ASCENDING)], name="expiry", expireAfterSeconds=_DAY),
        ],
        "gateway_executions": [
            IndexModel([("actor", ASCENDING), ("received", DESCENDING)], name="actor_newest"),
            IndexModel([("received", ASCENDING)], name="expiry", expireAfterSeconds=days.executions * _DAY),
        ],
        "gateway_sessions": [IndexModel([("expires", ASCENDING)], name="expiry", expireAfterSeconds=0)],
    }


def missing(database: Database[Document], days: Days) -> list[str]:
    """The names, as `collection.index`, of the indexes that are missing or have another definition.

    Raises:
        Unavailable: the database cannot be asked.
    """
    absent: list[str] = []
    with translated():
        for collection, models in wanted(days).items():
            present = {index["name"]: index for index in database[collection].list_indexes()}
            absent.extend(
                f"{collection}.{model.document['name']}"
                for model in models
                if not _agrees(model.document, present.get(model.document["name"]))
            )
    return absent


def ensure(database: Database[Document], days: Days) -> None:
    """Makes the indexes that are missing.

    Raises:
        CommandFailed: an index cannot be made because several documents have the same uuid, or because another index
            has its name.
        Unavailable: the database cannot be asked.
    """
    for collection, models in wanted(days).items():
        for model in models:
            with translated():
                try:
                    database[collection].create_indexes([model])
                except OperationFailure as error:
                    if error.code not in _CONFLICTS:
                        raise
                    raise CommandFailed(_conflict(collection, model, error)) from None


def _conflict(collection: str, model: IndexModel, error: OperationFailure) -> str:
    name = model.document["name"]
    if error.code == 11000:
        return f"index {name} of {collection} cannot be made: several documents have the same uuid"
    return f"index {name} of {collection} exists with another definition; drop it, then run doctor --fix again"


def _agrees(document: dict[str, Any], present: Any) -> bool:
    options = ("key", "unique", "sparse", "expireAfterSeconds", "partialFilterExpression")
    return present is not None and all(
        _plain(present.get(option)) == _plain(document.get(option)) for option in options
    )


def _plain(value: Any) -> Any:
    return list(value.items()) if hasattr(value, "items") else value
