"""The text of a body whose encoding is wrong or not declared."""

import codecs
import json
import re
from typing import Final

from pipelinejobs.messages.body import WRAPPING
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.marks import Marks
from pipelinejobs.messages.values import storable, text_problem

_BYTE_ORDER_MARKS: Final = (  # those of UTF-32 first, because one of them begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET: Final = re.compile(r"(?i)charset\s{0,8}=\s{0,8}[\"']?([a-z0-9._:-]{1,40})")
_CHARACTER_SETS: Final = re.compile("utf-(?:8|16|32)|iso8859|cp[0-9]|koi8|mac|gb|big5|shift_jis|euc_|ascii")
"""The codecs that are character sets. Python has others, some of which are very slow."""
_LAST_RESORT: Final = "iso-8859-1"  # what Agave's client writes without declaring it; every byte is a character of it


def text_of(delivery: Delivery, marks: Marks) -> str:
    """The body as text, without a byte order mark. It may hold characters that cannot be stored."""
    body = delivery.body if delivery.body is not None else ""
    if isinstance(body, bytes) and not body.strip():
        body = delivery.parameters.get(WRAPPING, "")
    if isinstance(body, str) and text_problem(body):
        try:
            body = body.encode("utf-8", "surrogateescape")  # bytes that Python could not read in the environment
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
    """The text of these bytes, and a mark unless they are plain UTF-8."""
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
