"""Edges of what a token allows."""

import pytest

from pipelinejobs.core.tokens import (
    NO_SUCH_JOB,
    Authority,
    job_token,
    refusal,
    remembered,
    token_hash,
    token_under,
    was_rotated,
)
from support.factories import SALT, TOKEN, UUID, a_command, a_job


@pytest.mark.parametrize("name", ["index", "indexed"])
def test_a_trusted_indexer_needs_no_token(name: str) -> None:
    assert refusal(Authority.INDEXER, a_command(name, token=None)) is None


@pytest.mark.parametrize("name", ["create", "reset", "ready"])
def test_only_a_sender_who_has_shown_the_jobs_token_is_told_what_is_missing(name: str) -> None:
    told = refusal(Authority.JOB, a_command(name))
    assert told is not None
    assert name in told
    assert refusal(Authority.FIRST_USE, a_command(name)) == NO_SUCH_JOB


@pytest.mark.parametrize(("stored", "kept"), [(7, 8), (8, 9), (9, 9), (20, 9)])
def test_the_first_and_the_newest_eight_hashes_are_kept_each_once(stored: int, kept: int) -> None:
    job = a_job(tokens=tuple(f"v1:{number}" for number in range(stored)))
    hashes = remembered(job)
    assert len(hashes) == len(set(hashes)) == kept
    assert hashes[0] == "v1:0"
    assert hashes[-1] == token_hash(UUID, TOKEN)


def test_a_job_without_admin_has_another_token_than_one_whose_admin_is_null() -> None:
    without, null = a_job(admin=None, has_admin=False), a_job(admin=None)
    assert token_under(without, SALT) == job_token(UUID, SALT, has_admin=False) != token_under(null, SALT)


def test_a_token_may_hold_any_text() -> None:
    assert token_hash(UUID, "\ud800").startswith("v1:")


def test_a_job_whose_history_has_moved_has_a_past() -> None:
    assert was_rotated(a_job(revision=5, entries=1, moved=5))
    assert not was_rotated(a_job(revision=5, entries=1, moved=0))
