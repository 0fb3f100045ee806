"""The newest refresh tokens of OAuth clients, sealed by their users (`job_systems.refresh_token`)."""

from typing import Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from pipelinejobs.store.connection import Document, translated, within

_SECONDS: Final = 5.0


class RefreshTokens:
    """The collection `refresh_tokens`."""

    def __init__(self, database: Database[Document]) -> None:
        self._tokens = database["refresh_tokens"]

    def load(self, key: str) -> object:
        """What is kept under a key, as it is in the database; None: nothing.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(_SECONDS), translated():
            row = self._tokens.find_one({"_id": {"$eq": key}})
        return None if row is None else row.get("sealed")

    def save(self, key: str, sealed: bytes, former: object) -> bool:
        """Keeps it in place of `former`, which was loaded. Returns False if something else is kept there by now.

        Raises:
            Unavailable: the database cannot be asked, or did not confirm it.
        """
        query = {"_id": {"$eq": key}, "sealed": {"$eq": former}}
        change = {"$set": {"sealed": sealed}, "$currentDate": {"kept": True}}
        with within(_SECONDS), translated(writing=True):
            try:
                done = self._tokens.update_one(query, change, upsert=former is None)
            except DuplicateKeyError:
                return False
        return done.matched_count == 1 or done.upserted_id is not None
