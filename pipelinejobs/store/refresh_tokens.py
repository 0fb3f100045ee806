"""The newest refresh tokens of OAuth clients, sealed by their users (`job_systems.refresh_token`)."""

from typing import Final

from pymongo.database import Database

from pipelinejobs.store.connection import Document, translated, within

_SECONDS: Final = 5.0


class RefreshTokens:
    """The collection `refresh_tokens`."""

    def __init__(self, database: Database[Document]) -> None:
        self._tokens = database["refresh_tokens"]

    def load(self, key: str) -> bytes | None:
        """What was kept under a key; None if nothing was.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(_SECONDS), translated():
            row = self._tokens.find_one({"_id": {"$eq": key}})
        sealed = row.get("sealed") if row is not None else None
        return sealed if isinstance(sealed, bytes) else None

    def save(self, key: str, sealed: bytes) -> None:
        """Keeps it, in place of what was there.

        Raises:
            Unavailable: the database cannot be asked, or did not confirm it.
        """
        with within(_SECONDS), translated(writing=True):
            self._tokens.update_one(
                {"_id": {"$eq": key}}, {"$set": {"sealed": sealed}, "$currentDate": {"kept": True}}, upsert=True
            )
