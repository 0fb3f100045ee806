"""Nonces: credentials in a URL, valid for a number of uses, for some time, and for one actor or alias (the scope).

They follow Abaco's rules. The nonce's id is shown once, when the nonce is made. Only a hash of the id is stored; it is
the handle by which the nonce is listed and deleted. All times are the database's.
"""

import re
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import pymongo
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from pipelinejobs.core.permission import Permission
from pipelinejobs.store.connection import Document, database_time, translated
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.secret import Secret

UNLIMITED: Final = -1
MOST_USES: Final = 2**31 - 1

_LETTERS: Final = string.ascii_letters + string.digits
_LENGTH: Final = 24
"""The number of random letters and digits in an id: 142 bits."""
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")
_LONGEST_ID: Final = 128
_QUICK: Final = WriteConcern(w=1)
_HAS_EXPIRED: Final = {"$and": [{"$ne": [{"$type": "$expires"}, "missing"]}, {"$lte": ["$expires", "$$NOW"]}]}


class NonceRefused(PipelineJobsError):
    """The nonce is not valid for this request.

    `kind` is `unknown`, `level` (not sufficient) or `spent`; `reason` is Abaco's own sentence.
    """

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNonce:
    """A nonce to be made.

    Attributes:
        scope: the actor or alias that it is valid for: `actor:ID` or `alias:NAME`.
        tenant: the beginning of its id.
        level: the permission that it gives.
        max_uses: the number of its uses; -1: unlimited.
        description: any text.
        seconds: how long it is valid; None: for ever.
        owner: the user to whom it belongs. A request with the nonce acts as that user.
        by_operator: whether it was made on the command line; then the owner's permissions do not limit it.
    """

    scope: str
    tenant: str
    level: Permission = Permission.EXECUTE
    max_uses: int = UNLIMITED
    description: str = ""
    seconds: float | None = None
    owner: str
    by_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonce:
    """A nonce as it is stored; see `NewNonce` for the fields that are not listed.

    Attributes:
        handle: names the nonce, and is not a credential.
        remaining: the number of uses left; -1: unlimited.
        used: the number of uses so far.
        created, last_used: times; `last_used` is None before the first use.
        expires: when it expires; None: never.
    """

    handle: str
    scope: str
    level: Permission
    max_uses: int
    remaining: int
    used: int
    description: str
    owner: str
    by_operator: bool
    created: datetime
    last_used: datetime | None
    expires: datetime | None


class Nonces:
    """The collection `gateway_nonces`."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._nonces = database["gateway_nonces"]
        self._quickly = self._nonces.with_options(write_concern=_QUICK)

    def make(self, new: NewNonce) -> tuple[Secret, Nonce]:
        """Makes a nonce.

        Returns:
            Its id, which cannot be read again, and the nonce.

        Raises:
            Unavailable: the database cannot be asked.
        """
        text = f"{new.tenant}_{''.join(secrets.choice(_LETTERS) for _ in range(_LENGTH))}"
        with translated(writing=True):
            now = database_time(self._database)
            row: Document = {
                "_id": _digest(text),
                "place": new.scope,
                "level": new.level.name,
                "max_uses": new.max_uses,
                "remaining": new.max_uses,
                "used": 0,
                "description": new.description,
                "owner": new.owner,
                "by_operator": new.by_operator,
                "created": now,
                "last_used": None,
            }
            if new.seconds is not None:
                row["expires"] = now + timedelta(seconds=new.seconds)
            self._nonces.insert_one(row)
        return Secret(text), _nonce(row)

    def redeem(self, shown: Secret, scopes: Collection[str], required: Permission) -> Nonce:
        """Uses up one use of a nonce.

        Any number of processes may do so at the same time: a nonce of N uses is redeemed N times. If the database does
        not confirm the write, the use may be spent; it is never given back.

        Args:
            shown: the id in the request.
            scopes: the nonce must be valid for one of these.
            required: the least permission needed.

        Raises:
            NonceRefused: the nonce is not valid for this request; no use is spent.
            Unavailable: the database cannot be asked.
        """
        text = shown.reveal()
        if len(text) > _LONGEST_ID:
            raise _unknown()
        key = _digest(text)
        query, fields = {"_id": {"$eq": key}, "place": {"$in": list(scopes)}}, {**_FIELDS, "expired": _HAS_EXPIRED}
        with translated():
            # The primary alone answers: a request with a wrong nonce must not cost a linearizable read.
            found = self._nonces.find_one(query, fields)
        if found is None or found["expired"]:
            raise _unknown()
        nonce = _nonce(found)
        if nonce.level < required:
            raise NonceRefused("level", "Nonce does not have sufficient permissions level.")
        if nonce.max_uses == UNLIMITED:
            # This count is only shown, so it need not survive the loss of a server.
            collection, left, change = self._quickly, {}, {"used": 1}
        else:
            collection, left, change = self._nonces, {"remaining": {"$gt": 0}}, {"used": 1, "remaining": -1}
        with translated(writing=True):
            done = collection.update_one(
                {"_id": {"$eq": key}, **left}, {"$inc": change, "$currentDate": {"last_used": True}}
            )
        if done.matched_count == 0:
            raise self._gone(key)
        return nonce

    def find_valid(self, handle: str, scopes: Collection[str]) -> Nonce | None:
        """The nonce with this handle and one of these scopes, even if all its uses are spent; None if there is none.

        A deleted or expired nonce does not count. No use is spent.

        Raises:
            Unavailable: the database cannot be asked.
        """
        query, fields = {"_id": {"$eq": handle}, "place": {"$in": list(scopes)}}, {**_FIELDS, "expired": _HAS_EXPIRED}
        with translated():
            found = self._nonces.find_one(query, fields)
        return _nonce(found) if found is not None and not found["expired"] else None

    def of(self, scope: str, most: int = 1000) -> list[Nonce]:
        """At most `most` nonces of one actor or alias, the newest first, spent and expired ones included.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            rows = self._nonces.find({"place": {"$eq": scope}}).sort([("created", pymongo.DESCENDING), ("_id", 1)])
            return [_nonce(row) for row in rows.limit(most)]

    def find(self, scope: str, name: str) -> Nonce | None:
        """The nonce of this actor or alias with this id or handle; None if there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            row = self._nonces.find_one(_named(scope, name))
        return _nonce(row) if row is not None else None

    def delete(self, scope: str, name: str) -> bool:
        """Deletes the nonce of this actor or alias with this id or handle. Returns whether there was one.

        Raises:
            Unavailable: the database cannot be asked, or did not say whether it was done.
        """
        with translated(writing=True):
            return self._nonces.delete_one(_named(scope, name)).deleted_count > 0

    def _gone(self, key: str) -> NonceRefused:
        """The reason why a nonce that was just read has no use left: it is spent, or was deleted."""
        with translated():
            there = self._nonces.find_one({"_id": {"$eq": key}}, {"_id": 1})
        return NonceRefused("spent", "No remaining uses left for this nonce.") if there is not None else _unknown()


_FIELDS: Final = {
    "place": 1,
    "level": 1,
    "max_uses": 1,
    "remaining": 1,
    "used": 1,
    "description": 1,
    "owner": 1,
    "by_operator": 1,
    "created": 1,
    "last_used": 1,
    "expires": 1,
}


def _named(scope: str, name: str) -> Document:
    """The filter for a nonce by its id, or by its handle."""
    keys = [_digest(name[:_LONGEST_ID])] + ([name] if _DIGEST.fullmatch(name) else [])
    return {"_id": {"$in": keys}, "place": {"$eq": scope}}


def _unknown() -> NonceRefused:
    return NonceRefused("unknown", "Nonce does not exist.")


def _digest(text: str) -> str:
    """128 bits of a hash of an id. A fast hash is enough, because an id has too many bits to be guessed."""
    return sha256(f"nonce-1|{text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _nonce(row: dict[str, Any]) -> Nonce:
    return Nonce(
        handle=row["_id"],
        scope=row["place"],
        level=Permission[row["level"]],
        max_uses=row["max_uses"],
        remaining=row["remaining"],
        used=row["used"],
        description=row["description"],
        owner=row["owner"],
        by_operator=row["by_operator"],
        created=row["created"],
        last_used=row["last_used"],
        expires=row.get("expires"),
    )
