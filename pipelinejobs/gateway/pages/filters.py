"""The filters of the list of jobs, as they stand in its address. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from fsm.lifecycle import STATES
from pipelinejobs.gateway.pages import times
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store.listing import LONGEST_TEXT, Filter, is_searchable
from pipelinejobs.util.errors import Malformed

_TEXTS: Final = ("text", "pipeline", "since", "before")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader has asked for.

    Attributes:
        states: the states that are ticked.
        texts: the other fields as they were filled in, by name.
        wrong: what is wrong, by field.
        filter: what the store is asked for; None where something is wrong.
    """

    states: tuple[str, ...]
    texts: Mapping[str, str]
    wrong: Mapping[str, str] = field(default_factory=dict)
    filter: Filter | None = None

    @property
    def is_any(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.states or any(self.texts.values()))

    @property
    def shows_more(self) -> bool:
        """Whether one of the fields is used that are folded away."""
        return any(self.texts[name] for name in _TEXTS[1:])

    def query(self, **more: str) -> str:
        """The same filters as the query of an address; it begins with a question mark where there is any."""
        pairs = [("state", state) for state in self.states]
        pairs += [(name, text) for name, text in [*self.texts.items(), *more.items()] if text]
        return f"?{urlencode(pairs)}" if pairs else ""


def read(states: list[str], given: Mapping[str, str], now: datetime) -> Filters:
    """The filters that an address names.

    Args:
        states: every `state` of the query; given: the rest of it.
    """
    texts = {name: given.get(name, "").strip() for name in _TEXTS}
    ticked = tuple(state for state in STATES if state in states)
    wrong: dict[str, str] = {}
    unknown = [state for state in states if state and state not in STATES]
    if unknown:
        wrong["state"] = f"{unknown[0][:40]} is no state of a job."
    if texts["pipeline"] and not is_uuid(texts["pipeline"]):
        wrong["pipeline"] = "A pipeline is named by its uuid, for example 10650844-1baa-55c5-a481-5e945b19c065."
    if texts["text"] and not is_searchable(texts["text"]):
        wrong["text"] = f"At most {LONGEST_TEXT} characters that can be seen."
    read: dict[str, datetime | None] = {"since": None, "before": None}
    for name in read:
        try:
            read[name] = times.parse(texts[name], now, name) if texts[name] else None
        except Malformed as error:
            wrong[name] = f"This {error.problem}."
    since, before = read["since"], read["before"]
    if since is not None and before is not None and since >= before:
        wrong["before"] = "This is not later than the other time, so that no job can match."
    if wrong:
        return Filters(ticked, texts, wrong)
    wanted = Filter(
        states=ticked,
        pipeline=texts["pipeline"] or None,
        text=texts["text"] or None,
        updated_since=since,
        updated_before=before,
    )
    return Filters(ticked, texts, {}, wanted)
