"""A database as it is, byte for byte."""

from typing import Any

from bson import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database

Document = dict[str, Any]


def raw(collection: Collection[Document]) -> list[bytes]:
    """A collection byte for byte."""
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    found = collection.with_options(codec_options=options).find().sort("_id")
    return [bytes(document.raw) for document in found]


def dump(database: Database[Document]) -> str:
    """Everything that a database holds, as text to look for secrets in."""
    # Secrets are ASCII, which looks the same in BSON; decoding could fail over what foreign writers have put there.
    return "".join(
        document.decode("latin-1") for name in database.list_collection_names() for document in raw(database[name])
    )


def everything(database: Database[Document]) -> dict[str, list[bytes]]:
    """Every collection that has documents, byte for byte, to find out whether anything has changed."""
    found = {name: raw(database[name]) for name in database.list_collection_names()}
    return {name: documents for name, documents in found.items() if documents}
