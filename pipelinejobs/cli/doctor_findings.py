"""What `doctor` finds, and its findings about the settings. Pure."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from pipelinejobs.cli.output import Output
from pipelinejobs.settings import Settings
from pipelinejobs.settings.other_variables import Remark
from pipelinejobs.settings.pins import GUARDED
from pipelinejobs.util.secret import Secret

_SHORTEST: Final = 16
_PUBLIC: Final = frozenset(
    {
        "dd7c2e0f4b3f8678e7235ce5d2038c2112e28fe8b63d103e5ef2077b1a0ace1f",
        "0e42d64cefd61724af168a8328187acae0f96af5b0922e1d7804e0bdcd7b97a3",
    }
)
"""SHA-256 of the administrative key and secret that are defaults in the public source of python-datacatalog."""


class Finding(NamedTuple):
    """One thing looked at.

    Attributes:
        what: the subject.
        level: `ok`, `note` (worth knowing) or `wrong`.
        text: what was found.
    """

    what: str
    level: str
    text: str


def ok(what: str, text: str) -> Finding:
    """Something that is as it should be."""
    return Finding(what, "ok", text)


def note(what: str, text: str) -> Finding:
    """Something worth knowing."""
    return Finding(what, "note", text)


def wrong(what: str, text: str) -> Finding:
    """Something that is wrong."""
    return Finding(what, "wrong", text)


def output(findings: list[Finding], **facts: object) -> Output:
    """What `doctor` prints: `facts`, and what was found; its exit code is 1 if something is wrong."""
    count = sum(finding.level == "wrong" for finding in findings)
    return Output(
        data={**facts, "wrong": count, "findings": [finding._asdict() for finding in findings]},
        lines=[f"{finding.level:5}  {finding.what}: {finding.text}" for finding in findings],
        exit_code=1 if count else 0,
    )


def of_environment(remarks: Iterable[Remark]) -> Iterator[Finding]:
    """Names in the environment that have no effect, or a former name's."""
    for remark in remarks:
        yield note("environment", remark.text)


def of_settings(configured: Settings) -> Iterator[Finding]:
    """What is allowed, but needs a decision of the operator."""
    tokens = configured.tokens
    if tokens.admin_key is None:
        yield note("tokens", "there are no administrative tokens: reset and ready are refused for everyone")
    for name, secret in (("tokens.admin_key", tokens.admin_key), ("tokens.admin_secret", tokens.admin_secret)):
        if secret is not None:
            yield from _of_secret(name, secret)
    if all(name in configured.pinned for name in GUARDED):
        yield ok(
            "pins", "all guarded settings are pinned" + ("" if configured.require_pins else ", as the image requires")
        )
    elif not configured.require_pins:
        yield note("pins", "require_pins is false: on Abaco a URL parameter could replace a guarded setting")


def _of_secret(name: str, secret: Secret) -> Iterator[Finding]:
    text = secret.reveal()
    if sha256(text.encode()).hexdigest() in _PUBLIC:
        yield note(name, "is a public default of python-datacatalog: anyone can compute administrative tokens")
    elif len(text) < _SHORTEST:
        yield note(name, f"is shorter than {_SHORTEST} characters, so it can be guessed")
