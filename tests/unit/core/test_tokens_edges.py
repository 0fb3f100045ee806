"""Edges of what a token allows."""

import pytest

from pipelinejobs.core.tokens import NO_SUCH_JOB, Authority, refusal
from support.factories import a_command


@pytest.mark.parametrize("name", ["index", "indexed"])
def test_a_trusted_indexer_needs_no_token(name: str) -> None:
    assert refusal(Authority.INDEXER, a_command(name, token=None)) is None


@pytest.mark.parametrize("name", ["create", "reset", "ready"])
def test_only_a_sender_who_has_shown_the_jobs_token_is_told_what_is_missing(name: str) -> None:
    told = refusal(Authority.JOB, a_command(name))
    assert told is not None
    assert name in told
    assert refusal(Authority.FIRST_USE, a_command(name)) == NO_SUCH_JOB
