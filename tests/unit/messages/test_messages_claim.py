"""What a delivery that cannot be read shows of its sender."""

from typing import Any

import pytest

from pipelinejobs.messages import claim
from support.message_samples import JOB, OTHER_JOB, TOKEN, delivery, token_of

WHERE = {"uuid": JOB, "token": TOKEN}


@pytest.mark.parametrize(
    ("body", "parameters", "name"),
    [
        ("[]", WHERE, ""),
        (None, WHERE | {"event": "finsh"}, ""),
        (None, WHERE | {"event": "FINISH", "name": "run"}, "finish"),
        ({"uuid": JOB, "name": "run", "token": TOKEN, "x": 1}, {}, "run"),
        (f'{{"uuid": "{JOB}", "name": "run", "token": "{TOKEN}", "data": {{"x": NaN}}}}', {}, "run"),
        ({"message": {"uuid": f" {JOB}\n", "token": TOKEN}}, {}, ""),
        ({"uuid": JOB, "name": 5}, {"token": TOKEN}, ""),
        ({"uuid": OTHER_JOB, "token": "other", "name": "run"}, WHERE, ""),
    ],
)
def test_the_job_and_its_token(body: Any, parameters: dict[str, str], name: str) -> None:
    claimed = claim.of(delivery(body, parameters))
    assert claimed is not None
    assert (claimed.job, token_of(claimed), claimed.name, claimed.sender) == (JOB, TOKEN, name, "jdoe")
    assert (claimed.data, claimed.message) == (None, None)


def test_both_tokens_count() -> None:
    claimed = claim.of(delivery({"uuid": JOB, "name": "update", "token": "newest", "foo": 2}, WHERE))
    assert claimed is not None
    assert [token.reveal() for token in claimed.tokens] == ["newest", TOKEN]


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (None, {}),
        (None, {"uuid": JOB}),
        (None, {"token": TOKEN}),
        (None, {"uuid": "107", "token": TOKEN}),
        ({"uuid": [JOB], "token": {"$ne": ""}}, {}),
        ("nonsense", {"uuid": JOB, "token": "${TOKEN}"}),
    ],
)
def test_nothing(body: Any, parameters: dict[str, str]) -> None:
    assert claim.of(delivery(body, parameters)) is None
