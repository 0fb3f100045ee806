"""Databases that are used by one test after the other, because their indexes take longer to make than most tests."""

import uuid
from typing import Any

from pymongo import MongoClient

from pipelinejobs.store import indexes


class IndexedDatabases:
    """Hands out databases that have all indexes and no document."""

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        self._client = client
        self._free: list[str] = []

    def take(self) -> str:
        """The name of a database that is reserved for the caller until it is given back."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid.uuid4().hex}"
        indexes.ensure(self._client[name], indexes.Days())
        return name

    def give_back(self, name: str) -> None:
        """Removes its documents. One in which a test has changed more than documents is dropped."""
        database = self._client[name]
        wanted = {
            collection: {"_id_", *(model.document["name"] for model in models)}
            for collection, models in indexes.wanted(indexes.Days()).items()
        }
        for collection in database.list_collections():
            if collection["type"] != "collection" or collection["options"]:
                self._client.drop_database(name)
                return
            if collection["name"] in wanted:
                database[collection["name"]].delete_many({})
            else:
                database.drop_collection(collection["name"])
        there = {collection: {*database[collection].index_information()} for collection in wanted}
        if there == wanted and not indexes.missing(database, indexes.Days()):
            self._free.append(name)
        else:
            self._client.drop_database(name)

    def drop_all(self) -> None:
        """Afterwards there are none."""
        for name in self._free:
            self._client.drop_database(name)
