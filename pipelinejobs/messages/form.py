"""What a form of message must hold, declared once.

A body is checked against the declaration, the reasons of refusals are worded from it, and message.jsonschema is made of
it (`schema_definition`).
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pipelinejobs.messages.values import path_of, wrong_type
from pipelinejobs.util.errors import Malformed

_TYPES: Final[dict[type, str]] = {str: "text", dict: "an object"}


class Key(NamedTuple):
    """A key that bodies of a form have.

    Attributes:
        name: the key.
        type: the type of its value.
        required: whether a body without it is not of the form.
        check: raises Malformed for a value of the right type that is wrong all the same; it is given value and path.
        keys: what an object in it must hold.
    """

    name: str
    type: type[str] | type[dict[str, Any]]
    required: bool = True
    check: Callable[[Any, str], object] | None = None
    keys: tuple["Key", ...] = ()


class Form:
    """A form of message.

    Attributes:
        name: its name, which for a callback is also that of the job system.
        title: what a reason calls it, such as `an Agave callback`.
        keys: what its bodies hold.
        names: the names of these keys.
        absent: keys that none of its bodies has.
        is_closed: whether its bodies have no other keys.
    """

    def __init__(
        self,
        name: str,
        title: str,
        keys: tuple[Key, ...],
        *,
        absent: tuple[str, ...] = (),
        is_closed: bool = False,
        hints: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """
        Args:
            hints: what a reason says of a key that bodies of a closed form do not have but senders write, by key.
        """
        self.name = name
        self.title = title
        self.keys = keys
        self.names = tuple(key.name for key in keys)
        self.absent = absent
        self.is_closed = is_closed
        self._hints = hints
        self._known = frozenset(self.names)
        self._required = frozenset(key.name for key in keys if key.required)

    def has_keys(self, body: dict[str, Any]) -> bool:
        """Whether a body has the keys that it must have and no key that it must not have, whatever their values."""
        return (
            body.keys() >= self._required
            and body.keys().isdisjoint(self.absent)
            and not (self.is_closed and body.keys() - self._known)
        )

    def fits(self, body: dict[str, Any]) -> bool:
        """Whether a body is of this form."""
        return self.has_keys(body) and not any(self.problems(body))

    def check(self, body: dict[str, Any]) -> None:
        """Refuses a body that is not of this form.

        Raises:
            Malformed: the first of its problems.
        """
        for problem in self.problems(body):
            raise problem

    def problems(self, body: dict[str, Any]) -> Iterator[Malformed]:
        """Everything that keeps a body from being of this form: keys that are unknown, missing or wrong, in this order.

        Keys that must be absent are not looked at: a body that has one is of another form (`recognition.form_of`).
        """
        if self.is_closed:
            yield from self._unknown(body)
        yield from self._wrong(self.keys, body)

    def missing(self) -> str:
        """What a reason says of a key that a body lacks. A sender of the one closed form knows what it is sending."""
        return "is missing" if self.is_closed else f"is missing from what looks like {self.title}"

    def _unknown(self, body: dict[str, Any]) -> Iterator[Malformed]:
        for key in body:
            if key not in self._known:
                other = f"is not a key of {self.title}, whose keys are {', '.join(self.names)}"
                yield Malformed(path_of(key), self._hints.get(key, other))

    def _wrong(self, keys: tuple[Key, ...], body: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Malformed]:
        for key in keys:
            if key.required and key.name not in body:
                yield Malformed(path_of(*path, key.name), self.missing())
        for key in keys:
            if key.name in body:
                yield from self._wrong_value(key, body[key.name], (*path, key.name))

    def _wrong_value(self, key: Key, value: Any, path: tuple[str, ...]) -> Iterator[Malformed]:
        if not isinstance(value, key.type):
            yield Malformed(path_of(*path), wrong_type(_TYPES[key.type], value))
            return
        if key.check is not None:
            try:
                key.check(value, path_of(*path))
            except Malformed as problem:
                yield problem
        if isinstance(value, dict):
            yield from self._wrong(key.keys, value, path)
