"""The user for whom a request is made."""

from dataclasses import dataclass, field

from pipelinejobs.core.permission import Permission


@dataclass(frozen=True, slots=True)
class Principal:
    """A user whose credential was accepted.

    Attributes:
        user: the user's name.
        permission: the highest permission that the user has; it includes those below.
        by: the kind of credential: `token`, `oauth2`, `tapis`, `nonce`, or `operator` for a nonce that an operator
            made on the command line.
        handle: identifies the credential among those of its kind, and is not secret. Empty for `oauth2` and `tapis`,
            whose tokens the gateway does not store.
    """

    user: str
    permission: Permission
    by: str
    handle: str = field(default="", repr=False, compare=False)
