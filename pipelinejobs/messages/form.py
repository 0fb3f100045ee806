"""The declaration of a form of message: a JSON event, or a callback of one job system.

Bodies are checked against it, the reasons of refusals are worded from it, and message.jsonschema is made of it
(`schema_definition`). `recognition` finds the form of a body.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pipelinejobs.messages.values import path_of, wrong_type
from pipelinejobs.util.errors import Malformed

_TYPES: Final[dict[type, str]] = {str: "text", dict: "an object"}


class Key(NamedTuple):
    """A key in the bodies of a form.

    Attributes:
        name: the key.
        type: the type of its value.
        required: whether every body of the form has it.
        check: called with value and path if the type is right; raises Malformed for a wrong value.
        keys: the keys of the object in it.
    """

    name: str
    type: type[str] | type[dict[str, Any]]
    required: bool = True
    check: Callable[[Any, str], object] | None = None
    keys: tuple["Key", ...] = ()


class Form:
    """A form of message.

    Attributes:
        name: its name; for a callback, the name of the job system.
        title: its name in reasons, such as `an Agave callback`.
        keys: the keys of its bodies.
        names: the names of these keys.
        absent: keys that its bodies must not have.
        is_closed: whether its bodies may have no other keys.
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
            hints: for a closed form, the reasons for keys that it does not have but senders use, by key.
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
        """Whether a body has all required keys and no forbidden ones, whatever their values."""
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
        """The problems of a body as one of this form: keys that are unknown, missing or wrong, in this order.

        Keys that must be absent are not checked: a body that has one is of another form (`recognition.form_of`).
        """
        if self.is_closed:
            yield from self._unknown(body)
        yield from self._wrong(self.keys, body)

    def missing(self) -> str:
        """The problem of a missing key. For an open form it names the form, which the sender may not have meant."""
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
