"""What is stored, exactly as it is stored.

PyMongo makes a reference (`DBRef`) of an embedded object with the keys `$ref` and `$id`, and that has forgotten their
order and whether there was a `$db` of null. A document that is read as the bytes that it is does not become one.
"""

import re
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from pipelinejobs.store.connection import Document

_REFERENCE: Final = re.compile(rb"\$ref\0")


def as_bytes(options: CodecOptions[Document]) -> CodecOptions[RawBSONDocument]:
    """These options, but for documents that are read as bytes."""
    return options.with_options(document_class=RawBSONDocument)


def value(read: Any, options: CodecOptions[Document]) -> Any:
    """The value of what was read so, or of a part of it: of plain dictionaries, lists and single values.

    Args:
        options: those that `as_bytes` was given.
    """
    if isinstance(read, RawBSONDocument):
        if not _REFERENCE.search(read.raw):  # the driver is many times as fast
            return bson.decode(read.raw, options)
        return {key: value(one, options) for key, one in read.items()}
    if isinstance(read, list):
        return [value(one, options) for one in read]
    return read
