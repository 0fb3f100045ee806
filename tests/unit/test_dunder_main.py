"""Which commands of `python -m pipelinejobs` are those of the client."""

import pytest

from pipelinejobs.__main__ import _is_for_the_client
from pipelinejobs.client import CALLBACK_VARIABLE

URL = "https://api.example.org/actors/v2/jobs-manager.prod/messages"


@pytest.mark.parametrize(
    ("line", "is_for_the_client"),
    [
        ("jobs --flush", False),
        ("send UUID run", False),
        ("send UUID run --data --dry-run", False),
        ("send finish", False),
        (f"send --callback {URL} finish", True),
        (f"send --callback={URL} finish", True),
        ("send --flush --spool DIR", True),
        ("send exec -- CMD --dry-run", True),
        (f"send --callback {URL} exec -- CMD --dry-run", True),
        ("send wait --until FINISHED", True),
        # The command of operators refuses these, and says how else to ask.
        (f"send --callback {URL} finish --dry-run", False),
        ("send --flush --dry-run", False),
    ],
)
def test_without_a_callback_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, line: str, is_for_the_client: bool
) -> None:
    monkeypatch.delenv(CALLBACK_VARIABLE, raising=False)
    assert _is_for_the_client(line.split()) is is_for_the_client


@pytest.mark.parametrize(
    ("line", "is_for_the_client"),
    [("send finish", True), ("send UUID finish", False), ("send finish --dry-run", False), ("show UUID", False)],
)
def test_with_a_callback_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, line: str, is_for_the_client: bool
) -> None:
    monkeypatch.setenv(CALLBACK_VARIABLE, URL)
    assert _is_for_the_client(line.split()) is is_for_the_client
