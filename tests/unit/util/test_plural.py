"""How many of what."""

import pytest

from pipelinejobs.util.plural import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages")])
def test_counted(number: int, said: str) -> None:
    assert counted(number, "message") == said
