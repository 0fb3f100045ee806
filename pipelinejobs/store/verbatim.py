"""Reads documents exactly as they are stored.

PyMongo turns an embedded object with the keys `$ref` and `$id` into a `DBRef`, which loses the order of the keys, and a
`$db` of null. This does not happen if the document is read as bytes.
"""

import re
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from pipelinejobs.store.connection import Document

_REFERENCE: Final = re.compile(rb"\$ref\0")


def as_bytes(options: CodecOptions[Document]) -> CodecOptions[RawBSONDocument]:
    """The same options, with documents read as bytes."""
    return options.with_options(document_class=RawBSONDocument)


def value(read: Any, options: CodecOptions[Document]) -> Any:
    """Decodes a document that was read as bytes, or a part of one, into dictionaries, lists and single values.

    Args:
        read: the document or the part.
        options: the options that `as_bytes` was given.
    """
    if isinstance(read, RawBSONDocument):
        if not _REFERENCE.search(read.raw):  # the driver's decoder is many times faster
            return bson.decode(read.raw, options)
        return {key: value(one, options) for key, one in read.items()}
    if isinstance(read, list):
        return [value(one, options) for one in read]
    return read
