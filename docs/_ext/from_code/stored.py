"""The collections with their indexes, and the manager's own fields in a job."""

import re
from collections.abc import Iterable
from typing import Any

from from_code.rst import literal, plain, table
from pipelinejobs.store import job_document
from pipelinejobs.store.indexes import Days, wanted


def collections() -> str:
    """The collections, and the indexes of each."""
    rows = []
    for collection, models in wanted(Days()).items():
        for model in models:
            rows.append((literal(collection), literal(model.document["name"]), _keys(model.document)))
    return table(("collection", "index", "keys"), rows, "30 20 50")


def _keys(document: dict[str, Any]) -> str:
    keys: Iterable[tuple[str, int]] = document["key"].items()
    said = ", ".join(f"{literal(name)} {'descending' if way < 0 else 'ascending'}" for name, way in keys)
    for option in ("unique", "sparse"):
        said += f"; {option}" if document.get(option) else ""
    if "expireAfterSeconds" in document:
        said += "; MongoDB deletes documents older than the setting says"
    return said + ("; partial" if "partialFilterExpression" in document else "")


def job_fields() -> str:
    """The manager's own fields in a job document."""
    found = re.findall(r"^`(_\w+)` +(.+)$", job_document.__doc__ or "", re.MULTILINE)
    return table(("field", "content"), [(literal(name), plain(text)) for name, text in found], "25 75")
