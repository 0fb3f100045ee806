"""Who has sent a message is told by names that Abaco itself writes last; a caller chooses all others."""

from typing import Any

import pytest

from pipelinejobs.runtime import context

ABACO = "_abaco_"


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


@pytest.mark.promise("S13")
def test_who_sent_it_is_told_by_abaco_alone() -> None:
    asked = Asked()
    context(asked)
    assert {name for name in asked.names if not name.startswith(ABACO)} == {"MSG", "LOCALONLY"}
    claimed = {name: "sd2eadm" for name in asked.names if name != "_abaco_username"}
    assert context(claimed).username is None
    assert context({**claimed, "_abaco_username": "jdoe"}).username == "jdoe"
