"""Who sent a request: one small interface, and a file for each way of showing it."""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from pipelinejobs.core.permission import Right
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.secret import Secret


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has shown who they are.

    Attributes:
        user: the user's name.
        right: what they may do.
        by: the kind of credential that showed it: `token`, `oauth2`, `tapis`, `nonce`, or
            `operator` for a nonce that an operator's command has made.
        handle: names the credential among those of its kind, and is none itself; empty where others know it.
    """

    user: str
    right: Right
    by: str
    handle: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows. Texts are as they came, and may be anything.

    Attributes:
        bearer: what follows `Bearer` in the header Authorization.
        tapis: the header X-Tapis-Token.
        nonce: the parameter x-nonce.
    """

    bearer: Secret | None = field(default=None, repr=False)
    tapis: Secret | None = field(default=None, repr=False)
    nonce: Secret | None = field(default=None, repr=False)


class BadCredential(PipelineJobsError):
    """The credential is not good.

    `kind` is one of a few words, for the metrics; `reason` says what is wrong with it and never shows it.
    """

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        super().__init__(reason)


class Authenticator(Protocol):
    """One way of knowing whose a token is. It may wait for other servers, and is called in a thread of its own."""

    kind: ClassVar[str]
    """What its callers are admitted by (`Caller.by`)."""

    def identify(self, shown: Shown) -> Caller | None:
        """Whose credential it is; None where nothing shown is of this kind.

        Raises:
            BadCredential: it is of this kind, and not good.
            Unavailable: it cannot be known now, because somebody who has to be asked does not answer.
        """
