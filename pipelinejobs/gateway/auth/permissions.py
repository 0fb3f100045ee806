"""What users may do whom somebody else has identified (`gateway.permissions`)."""

from collections.abc import Iterable

from pipelinejobs.core.permission import Right
from pipelinejobs.settings.gateway import Grant

_EVERYBODY = "*"


class Rights:
    """The rights of users by name."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._rights = {grant.user: grant.right for grant in grants}

    def of(self, user: str) -> Right:
        """A user's own right, else that of everybody (`*`), else none."""
        return self._rights.get(user, self._rights.get(_EVERYBODY, Right.NONE))
