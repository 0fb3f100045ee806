"""The filters of the list of jobs, read from the query of its URL. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from fsm.lifecycle import STATES
from pipelinejobs.gateway.pages import times
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store.listing import LONGEST_TEXT, Filter, is_searchable
from pipelinejobs.util import duration
from pipelinejobs.util.errors import Malformed

_TEXTS: Final = ("text", "pipeline", "since", "before", "quiet_for")
_YES: Final = ("true", "1", "yes", "on")
"""The values of a ticked box in the address. The form sends the first; the API accepts all."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters that the user has filled in.

    Attributes:
        states: the ticked states.
        texts: the other fields as filled in, by name.
        overdue: whether only overdue jobs are wanted.
        wrong: the error text of each invalid field, by name.
        filter: the filter for the store; None if a field is invalid.
    """

    states: tuple[str, ...]
    texts: Mapping[str, str]
    overdue: bool = False
    wrong: Mapping[str, str] = field(default_factory=dict)
    filter: Filter | None = None

    @property
    def is_any(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.states or self.overdue or any(self.texts.values()))

    @property
    def shows_more(self) -> bool:
        """Whether a field in the folded part of the form is filled in."""
        return self.overdue or any(self.texts[name] for name in _TEXTS[1:])

    def query(self, **more: str) -> str:
        """The filters and `more` as the query of a URL, with its question mark; empty without any."""
        pairs = [("state", state) for state in self.states]
        pairs += [(name, text) for name, text in self.texts.items() if text]
        pairs += [("overdue", _YES[0])] if self.overdue else []
        pairs += more.items()
        return f"?{urlencode(pairs)}" if pairs else ""


def read(states: list[str], given: Mapping[str, str], now: datetime) -> Filters:
    """Reads the filters from the query of a URL.

    Args:
        states: all values of `state`.
        given: the other parameters, by name.
        now: the present time, for texts such as `2h`.
    """
    texts = {name: given.get(name, "").strip() for name in _TEXTS}
    ticked = tuple(state for state in STATES if state in states)
    overdue = given.get("overdue", "").lower() in _YES
    times_read, wrong = _read_times(texts, now)
    wrong |= _wrong_texts(states, texts)
    if wrong:
        return Filters(ticked, texts, overdue, wrong)
    wanted = Filter(
        states=ticked,
        pipeline=texts["pipeline"] or None,
        text=texts["text"] or None,
        updated_since=times_read.get("since"),
        updated_before=times_read.get("before"),
        quiet_for=duration.seconds(texts["quiet_for"]) if texts["quiet_for"] else None,
        overdue=overdue,
    )
    return Filters(ticked, texts, overdue, {}, wanted)


def _wrong_texts(states: list[str], texts: Mapping[str, str]) -> dict[str, str]:
    """The error texts of the states, the pipeline, the text and the duration, by field."""
    wrong: dict[str, str] = {}
    unknown = [state for state in states if state and state not in STATES]
    if unknown:
        wrong["state"] = f"{unknown[0][:40]} is not a state of a job."
    if texts["pipeline"] and not is_uuid(texts["pipeline"]):
        wrong["pipeline"] = "Enter the uuid of a pipeline, for example 10650844-1baa-55c5-a481-5e945b19c065."
    if texts["text"] and not is_searchable(texts["text"]):
        wrong["text"] = f"Enter at most {LONGEST_TEXT} characters, without control characters."
    try:
        duration.seconds(texts["quiet_for"] or "0")
    except ValueError as error:
        wrong["quiet_for"] = f"This {error}."
    return wrong


def _read_times(texts: Mapping[str, str], now: datetime) -> tuple[dict[str, datetime], dict[str, str]]:
    """The times that are filled in, by field; and the error texts, by field."""
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
        wrong["before"] = "No job can match: this time is not later than the other one."
    return read, wrong
