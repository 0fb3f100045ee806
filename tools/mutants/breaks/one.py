"""A deliberate break of the product."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One break of the product.

    Attributes:
        promises: what it breaks: ids of the fault list, promises (P), faults (F) and attacks (S).
        what: what the broken product does, in words.
        file: the file that is changed.
        old, new: the text that stands there once, and what takes its place.
        tests: pytest's names of tests; each of them, run alone, has to fail.
    """

    promises: tuple[str, ...]
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
