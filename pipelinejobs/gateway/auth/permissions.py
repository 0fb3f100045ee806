"""The permissions of users whom TACC or Tapis has identified (the setting `gateway.permissions`)."""

from collections.abc import Iterable

from pipelinejobs.core.permission import Permission
from pipelinejobs.settings.gateway import Grant

_EVERY_USER = "*"


class Permissions:
    """The permissions of users, by name."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._permissions = {grant.user: grant.permission for grant in grants}

    def of(self, user: str) -> Permission:
        """The permission granted to the user, else the one granted to `*`, else NONE."""
        return self._permissions.get(user, self._permissions.get(_EVERY_USER, Permission.NONE))
