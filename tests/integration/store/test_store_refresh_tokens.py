"""Sealed refresh tokens: one for each key, replaced by a process that has seen it."""

from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.store import Store


def test_only_what_was_loaded_is_replaced(store: Store) -> None:
    tokens = store.refresh_tokens
    assert tokens.load("k") is None
    assert tokens.save("k", b"one", None)
    assert not tokens.save("k", b"other", None)
    assert tokens.save("k", b"two", b"one")
    assert not tokens.save("k", b"late", b"one")
    assert tokens.load("k") == b"two"
    assert not tokens.save("absent", b"x", b"one")
    assert tokens.load("absent") is None


@pytest.mark.parametrize("odd", [7, None, "text", {"$ne": 1}, [b"one"]])
def test_whatever_was_loaded_can_be_replaced(store: Store, database: Database[dict[str, Any]], odd: object) -> None:
    database["refresh_tokens"].insert_one({"_id": "k", "sealed": odd})
    assert store.refresh_tokens.load("k") == odd
    assert store.refresh_tokens.save("k", b"one", odd)
    assert store.refresh_tokens.load("k") == b"one"


def test_keys_are_not_operators(store: Store) -> None:
    store.refresh_tokens.save("k", b"one", None)
    assert store.refresh_tokens.load({"$gt": ""}) is None  # type: ignore[arg-type]
