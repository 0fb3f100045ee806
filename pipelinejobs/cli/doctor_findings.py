"""The findings of `doctor`, and its checks of the settings. Pure."""

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
    """The result of one check.

    Attributes:
        what: the subject, in one word.
        level: `ok`, `note` (worth knowing) or `wrong`.
        text: what was found.
    """

    what: str
    level: str
    text: str


def ok(what: str, text: str) -> Finding:
    """A finding that all is well."""
    return Finding(what, "ok", text)


def note(what: str, text: str) -> Finding:
    """A finding worth knowing."""
    return Finding(what, "note", text)


def wrong(what: str, text: str) -> Finding:
    """A finding of a problem."""
    return Finding(what, "wrong", text)


def output(findings: list[Finding], **facts: object) -> Output:
    """The output of `doctor`: the findings, and `facts` for --json. The exit code is 1 if a finding is `wrong`."""
    count = sum(finding.level == "wrong" for finding in findings)
    return Output(
        data={**facts, "wrong": count, "findings": [finding._asdict() for finding in findings]},
        lines=[f"{finding.level:5}  {finding.what}: {finding.text}" for finding in findings],
        exit_code=1 if count else 0,
    )


def of_environment(remarks: Iterable[Remark]) -> Iterator[Finding]:
    """Findings about the environment: ignored, misspelt and former names."""
    for remark in remarks:
        yield note("environment", remark.text)


def of_settings(configured: Settings) -> Iterator[Finding]:
    """Findings about valid settings that the operator should decide about."""
    tokens = configured.tokens
    if tokens.admin_key is None:
        yield note("tokens", "there are no administrative tokens, so reset and ready are always refused")
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
