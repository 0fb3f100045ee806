"""Decodes a report's body if its encoding is wrong or not declared."""

import codecs
import json
import re
from typing import Final

from pipelinejobs.messages.body import WRAPPING
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.marks import Marks
from pipelinejobs.messages.values import storable, text_problem

_BYTE_ORDER_MARKS: Final = (  # UTF-32 first, because one of its marks begins with a mark of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET: Final = re.compile(r"(?i)charset\s{0,8}=\s{0,8}[\"']?([a-z0-9._:-]{1,40})")
_CHARACTER_SETS: Final = re.compile("utf-(?:8|16|32)|iso8859|cp[0-9]|koi8|mac|gb|big5|shift_jis|euc_|ascii")
"""The codecs that may be used. Python has others that are no character sets, some of them very slow."""
_LAST_RESORT: Final = "iso-8859-1"  # Agave's HTTP client sends it undeclared; it can decode any byte


def text_of(delivery: Delivery, marks: Marks) -> str:
    """The body as text, without a byte order mark. It may contain characters that cannot be stored.

    Args:
        delivery: the delivery.
        marks: gets a mark if the body is not plain UTF-8.
    """
    body = delivery.body if delivery.body is not None else ""
    if isinstance(body, bytes) and not body.strip():
        body = delivery.parameters.get(WRAPPING, "")
    if isinstance(body, str) and text_problem(body):
        try:
            body = body.encode("utf-8", "surrogateescape")  # bytes in the environment that are not UTF-8
        except UnicodeEncodeError:
            return storable(str(body))
    if isinstance(body, str):
        if body.startswith("\ufeff"):
            marks.add("body", "begins with a byte order mark; left out")
        return body.removeprefix("\ufeff")
    text, how = _decoded(body, delivery.content_type)
    if how is not None:
        marks.add("body", how)
    return text


def _decoded(body: bytes, content_type: str | None) -> tuple[str, str | None]:
    """The text of these bytes, and a mark if they are not plain UTF-8."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            rest = body[len(mark) :].decode(encoding, "replace")
            return rest, f"begins with a byte order mark; read as {encoding.upper()}"
    found = json.detect_encoding(body)
    if found != "utf-8":  # UTF-16 or UTF-32 without a mark, if it is one of them
        text = _decoded_as(body, found)
        if text is not None and text.lstrip().startswith(("{", "[")):
            return text, f"is not UTF-8; read as {found.upper()}"
    text = _decoded_as(body, "utf-8")
    if text is not None:
        return text, None
    declared = _CHARSET.search(content_type or "")
    encoding = declared[1].lower() if declared else _LAST_RESORT
    text = _decoded_as(body, encoding)
    if text is None:
        encoding = _LAST_RESORT
    return text or body.decode(_LAST_RESORT), f"is not UTF-8; read as {encoding.upper()}"


def _decoded_as(body: bytes, encoding: str) -> str | None:
    try:
        codec = codecs.lookup(encoding)
        return body.decode(codec.name) if _CHARACTER_SETS.match(codec.name) else None
    except (LookupError, ValueError):  # there is no such codec, or it cannot decode the bytes
        return None
