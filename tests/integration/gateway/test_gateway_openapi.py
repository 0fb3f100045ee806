"""openapi.json is true: requests that fit it and requests that do not are answered as it says, never with 500."""

from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as effort
from hypothesis.errors import Unsatisfiable
from pymongo import MongoClient
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from pipelinejobs.gateway.app import application
from pipelinejobs.gateway.parts import GatewayParts
from support.gateway import ALIAS, TOKENS, Gateway, serving, settings
from support.process import StoredJob, insert_job
from support.selection import examples

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture(scope="module")
def gateway(mongodb_uri: str, mongodb_client: MongoClient[dict[str, Any]]) -> Iterator[Gateway]:
    """One gateway for all tests of this module, with a job and an execution."""
    name = f"test_{uuid4().hex}"
    try:
        with serving(settings(mongodb_uri, name)) as running:
            yield running
    finally:
        mongodb_client.drop_database(name)


@pytest.fixture(scope="module")
def stored(gateway: Gateway, mongodb_client: MongoClient[dict[str, Any]]) -> StoredJob:
    job = insert_job(gateway.parts.store.database["jobs"], "job-finished.json")
    gateway.post(job.event("validate"))
    return job


@pytest.fixture(scope="module")
def api(gateway: Gateway) -> Any:
    return schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")


DOCUMENT = application(cast("GatewayParts", None)).openapi()
OPERATIONS = [
    pytest.param(path, method.upper(), id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if path != "/changes"  # which never ends, and has tests of its own
]


@pytest.mark.hypothesis
@pytest.mark.promise("P7")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_asked(
    gateway: Gateway, stored: StoredJob, api: Any, path: str, method: str, mode: GenerationMode
) -> None:
    """schemathesis generates requests that fit the document, and requests that do not."""

    @effort(max_examples=examples(25, 5), derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=api[path][method].as_strategy(generation_mode=mode), known=strategies.booleans())
    def ask(case: Case[Any], known: bool) -> None:
        if known:  # else hardly anything would be asked of what is there
            names = {"actor": ALIAS, "alias": ALIAS, "uuid": stored.uuid}
            case.path_parameters.update({name: names[name] for name in case.path_parameters if name in names})
        answer = case.call(headers={"Authorization": f"Bearer {TOKENS['UPDATE']}"})
        case.validate_response(answer, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # there is nothing that could be asked wrongly


@pytest.mark.parametrize(
    "path",
    ["/jobs", "/jobs/{uuid}", "/jobs/{uuid}/history", "/jobs/{uuid}/explain"]
    + [
        f"{base}/{path}"
        for base in ("/actors/v2", "/v3/actors")
        for path in ("{actor}/messages", "{actor}/executions", "{actor}/nonces", "aliases/{alias}/nonces")
    ],
)
def test_every_good_answer_fits(gateway: Gateway, stored: StoredJob, path: str, api: Any) -> None:
    if path.endswith("nonces"):
        gateway.ask("POST", path.format(actor=ALIAS, alias=ALIAS))
    answer = gateway.ask("GET", path.format(uuid=stored.uuid, actor=ALIAS, alias=ALIAS))
    assert answer.status_code == 200
    api[path]["GET"].validate_response(answer)


def test_both_dialects_are_there(gateway: Gateway) -> None:
    document = gateway.client.get("/openapi.json").json()
    v2 = {path.removeprefix("/actors/v2") for path in document["paths"] if path.startswith("/actors/v2")}
    v3 = {path.removeprefix("/v3/actors") for path in document["paths"] if path.startswith("/v3/actors")}
    assert v2 == v3
    schemas = document["components"]["schemas"]
    assert "executionId" in schemas["Message"]["properties"]
    assert "execution_id" in schemas["V3Message"]["properties"]
    assert set(document["components"]["securitySchemes"]) == {"HTTPBearer", "nonce", "tapis"}


def test_every_operation_says_what_it_does(gateway: Gateway) -> None:
    document = gateway.client.get("/openapi.json").json()
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert all(operation["summary"] for operation in operations)
    identifiers = [operation["operationId"] for operation in operations]
    assert len(set(identifiers)) == len(identifiers)
