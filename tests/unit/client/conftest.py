"""Fixtures for the tests of the client."""

import pytest

from pipelinejobs import client


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(client, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(client, "LEAST_SECONDS", 0.1)


@pytest.fixture
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one attempt, or one round, and it ends by itself: one that is given up may arrive late."""
    monkeypatch.setattr(client, "LEAST_SECONDS", 1000.0)
