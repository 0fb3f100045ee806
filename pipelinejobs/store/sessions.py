"""Sessions of users who are signed in to the pages, stored in `gateway_sessions`.

A session has a random id, which the browser keeps in a cookie; only a hash of the id is stored. MongoDB removes expired
sessions. All times are the database's.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from pymongo.database import Database

from pipelinejobs.store.connection import Document, database_time, translated
from pipelinejobs.util.secret import Secret

_BYTES: Final = 32
"""The number of random bytes in an id; too many to guess."""
_LONGEST_ID: Final = 64
_MOST: Final = 50
"""The most sessions of one credential; the oldest are removed, so that repeated sign-ins do not fill the collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSession:
    """The session of a user who is signed in.

    Attributes:
        user: the user's name.
        by: the kind of credential with which the user signed in; see `gateway.auth.principal.Principal`.
        handle: names that credential among those of its kind, and is not a credential.
        expires: when the session ends.
    """

    user: str
    by: str
    handle: str = field(repr=False)
    expires: datetime


class Sessions:
    """The collection `gateway_sessions`."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._sessions = database["gateway_sessions"]

    def make(self, user: str, by: str, handle: str, seconds: float) -> Secret:
        """Begins a session.

        Args:
            user, by, handle: see `UserSession`.
            seconds: how long it lasts.

        Returns:
            Its id, which cannot be read again.

        Raises:
            Unavailable: the database cannot be asked.
        """
        text = secrets.token_urlsafe(_BYTES)
        with translated(writing=True):
            now = database_time(self._database)
            row = {"_id": _digest(text), "user": user, "by": by, "handle": handle, "created": now}
            self._sessions.insert_one(row | {"expires": now + timedelta(seconds=seconds)})
            same = {"user": {"$eq": user}, "by": {"$eq": by}, "handle": {"$eq": handle}}
            older = self._sessions.find(same, {"_id": 1}).sort("created", -1).skip(_MOST)
            self._sessions.delete_many({"_id": {"$in": [one["_id"] for one in older]}})
        return Secret(text)

    def find(self, shown: Secret) -> UserSession | None:
        """The session with this id; None if there is none or it has expired.

        Raises:
            Unavailable: the database cannot be asked.
        """
        if len(shown.reveal()) > _LONGEST_ID:
            return None
        with translated():
            # MongoDB removes a session up to a minute after its end, so `expires` is compared here.
            row = self._sessions.find_one(
                {"_id": {"$eq": _digest(shown.reveal())}, "$expr": {"$gt": ["$expires", "$$NOW"]}}
            )
        if row is None:
            return None
        return UserSession(user=row["user"], by=row["by"], handle=row["handle"], expires=row["expires"])

    def end(self, shown: Secret) -> None:
        """Ends a session, for all gateways.

        Raises:
            Unavailable: the database cannot be asked, or did not say whether it was done.
        """
        with translated(writing=True):
            self._sessions.delete_one({"_id": {"$eq": _digest(shown.reveal()[:_LONGEST_ID])}})


def _digest(text: str) -> str:
    """A hash of an id. A fast hash is enough, because an id has too many bits to be guessed."""
    return sha256(f"session-1|{text}".encode("utf-8", "surrogatepass")).hexdigest()
