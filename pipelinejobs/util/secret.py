"""Texts that must not be shown: tokens, nonces, keys, connection strings."""

from typing import Final


class Secret:
    """A text that shows `<secret>` when it is printed, formatted or logged.

    It has no equality on purpose: `pipelinejobs.core.tokens.same` compares secrets in constant time.
    """

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]  # makes the type unhashable

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """The text itself. Call this only to use the secret, never to show it."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        raise TypeError("secrets are compared with pipelinejobs.core.tokens.same, in constant time")

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled: it is not written to disk or sent to another process")
