"""Typed uuids: uuid5 in the catalog's namespace, with the type in the first three hex digits.

The rule, and how a job becomes text for it, are python-datacatalog's; its tools derive the same uuids.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

NAMESPACE: Final = UUID("54765aeb-44ca-374a-9a9f-eb4658383ee4")
"""uuid3(NAMESPACE_DNS, "sd2e.org")."""

PIPELINE: Final = "106"
JOB: Final = "107"
ENTRY: Final = "108"

_JOB_FIELDS: Final = ("pipeline_uuid", "child_of", "data")


def typed(prefix: str, text: str) -> str:
    """The typed uuid of `text`: lower case, with dashes, its first three digits replaced by `prefix`."""
    return prefix + str(uuid5(NAMESPACE, text))[3:]


def random(prefix: str) -> str:
    """A random typed uuid, as python-datacatalog gives to history entries."""
    return typed(prefix, str(uuid4()))


def job_uuid(document: Mapping[str, Any]) -> str:
    """The uuid of a job, derived from its fields `pipeline_uuid`, `child_of` and `data`, as far as it has them."""
    texts = [_linear(document[name]) for name in _JOB_FIELDS if name in document]
    return typed(JOB, ":".join(sorted(texts)))


def _linear(value: Any) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return str(value)
