"""Typed uuids against python-datacatalog's vectors."""

import json
from pathlib import Path
from uuid import NAMESPACE_DNS, UUID, uuid3

import pytest

from pipelinejobs.core import uuids

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "uuid-vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["jobs"])
def test_job_vector(vector: dict[str, object]) -> None:
    document = vector["document"]
    assert isinstance(document, dict)
    assert uuids.job_uuid(document) == vector["uuid"]


def test_the_namespace_is_derived_as_published() -> None:
    assert uuid3(NAMESPACE_DNS, "sd2e.org") == uuids.NAMESPACE == UUID(VECTORS["namespace"])


def test_prefixes() -> None:
    assert VECTORS["prefixes"] == {
        "pipeline": uuids.PIPELINE,
        "pipelinejob": uuids.JOB,
        "pipelinejob_event": uuids.ENTRY,
    }


def test_a_typed_uuid_is_a_uuid() -> None:
    assert str(UUID(uuids.typed(uuids.ENTRY, "any text"))) == uuids.typed(uuids.ENTRY, "any text")


def test_random_ones_differ() -> None:
    assert uuids.random(uuids.ENTRY) != uuids.random(uuids.ENTRY)
