"""The filters of the list of jobs, as they are written in its address. Pure."""

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
    """What the user has asked for.

    Attributes:
        states: the states that are ticked.
        texts: the other fields as they were filled in, by name.
        wrong: what is wrong, by field.
        filter: what the store is asked for; None if something is wrong.
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
        """Whether one of the folded fields is used."""
        return any(self.texts[name] for name in _TEXTS[1:])

    def query(self, **more: str) -> str:
        """The same filters as the query of an address; with a question mark unless it is empty."""
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
    times_read, wrong = _read_times(texts, now)
    wrong |= _wrong_texts(states, texts)
    if wrong:
        return Filters(ticked, texts, wrong)
    wanted = Filter(
        states=ticked,
        pipeline=texts["pipeline"] or None,
        text=texts["text"] or None,
        updated_since=times_read.get("since"),
        updated_before=times_read.get("before"),
    )
    return Filters(ticked, texts, {}, wanted)


def _wrong_texts(states: list[str], texts: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the states, the pipeline and the text, by field."""
    wrong: dict[str, str] = {}
    unknown = [state for state in states if state and state not in STATES]
    if unknown:
        wrong["state"] = f"{unknown[0][:40]} is not a state of a job."
    if texts["pipeline"] and not is_uuid(texts["pipeline"]):
        wrong["pipeline"] = "A pipeline is named by its uuid, for example 10650844-1baa-55c5-a481-5e945b19c065."
    if texts["text"] and not is_searchable(texts["text"]):
        wrong["text"] = f"At most {LONGEST_TEXT} characters, all of them visible."
    return wrong


def _read_times(texts: Mapping[str, str], now: datetime) -> tuple[dict[str, datetime], dict[str, str]]:
    """The two times, by field, without those that are empty; and what is wrong with them, by field."""
    read: dict[str, datetime] = {}
    wrong: dict[str, str] = {}
    for name in ("since", "before"):
        if not texts[name]:
            continue
        try:
            read[name] = times.parse(texts[name], now, name)
        except Malformed as error:
            wrong[name] = f"This {error.problem}."
    if len(read) == 2 and read["since"] >= read["before"]:
        wrong["before"] = "This is not later than the other time, so no job can match."
    return read, wrong
