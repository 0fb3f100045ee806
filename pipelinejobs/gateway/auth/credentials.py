"""The credentials in a request: tokens and nonces."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.secret import Secret

if TYPE_CHECKING:
    from starlette.requests import Request

NONCE: Final = "x-nonce"
TAPIS_HEADER: Final = "X-Tapis-Token"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one request, unchecked: each may be any text.

    Attributes:
        bearer: the text after `Bearer` in the header Authorization.
        tapis: the header X-Tapis-Token.
        nonce: the parameter x-nonce.
    """

    bearer: Secret | None = field(default=None, repr=False)
    tapis: Secret | None = field(default=None, repr=False)
    nonce: Secret | None = field(default=None, repr=False)


class BadCredential(PipelineJobsError):
    """The credential is not valid.

    Attributes:
        kind: one of a few words, for the metrics.
        reason: what is wrong with the credential; never shows the credential itself.
    """

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        super().__init__(reason)


def credentials_of(request: "Request") -> Credentials:
    """The credentials that a request shows."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    tapis = request.headers.get(TAPIS_HEADER, "").strip()
    nonce = next(iter(request.query_params.getlist(NONCE)), "")  # of several the first, as for all parameters
    return Credentials(
        bearer=Secret(bearer) if bearer else None,
        tapis=Secret(tapis) if tapis else None,
        nonce=Secret(nonce) if nonce else None,
    )
