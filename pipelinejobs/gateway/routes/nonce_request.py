"""The body of a request for a new nonce: JSON or a form. All fields are optional."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from pipelinejobs.core.permission import Permission
from pipelinejobs.messages import text as message_text
from pipelinejobs.messages.http_body import text_of
from pipelinejobs.messages.values import Flaw, check, wrong_type
from pipelinejobs.store.nonces import MOST_USES, UNLIMITED
from pipelinejobs.util.errors import Malformed

LONGEST_DESCRIPTION: Final = 1024
LONGEST_SECONDS: Final = 10 * 365 * 86400
_MOST_FIELDS: Final = 100


@dataclass(frozen=True, slots=True)
class NonceRequest:
    """The nonce that the body asks for, with Abaco's defaults.

    Attributes:
        level: its level.
        max_uses: how often it can be used; `UNLIMITED` (-1): without limit.
        description: free text.
        seconds: how long it is valid; None: without limit.
    """

    level: Permission = Permission.EXECUTE
    max_uses: int = UNLIMITED
    description: str = ""
    seconds: int | None = None


def read(body: bytes, content_type: str | None, *, alias: bool) -> NonceRequest:
    """Reads a body.

    Args:
        body: the bytes of the body; empty: all defaults.
        content_type: the header Content-Type.
        alias: whether the nonce is for an alias; then its level is at most EXECUTE.

    Raises:
        Malformed: the body cannot be read, or a field has a value that is not allowed.
    """
    fields = _fields(body, content_type)
    return NonceRequest(
        level=_level(fields.get("level"), alias=alias),
        max_uses=_max_uses(_first(fields, "maxUses", "max_uses")),
        description=_description(fields.get("description")),
        seconds=_seconds(_first(fields, "expiresIn", "expires_in")),
    )


def _fields(body: bytes, content_type: str | None) -> dict[str, Any]:
    if not body.strip():
        return {}
    is_form = (content_type or "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    if is_form and not body.lstrip().startswith(b"{"):
        try:
            form = body.decode("ascii").strip()
            return dict(parse_qsl(form, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
        except ValueError:
            raise Malformed("body", "is not a form, although Content-Type says so") from None
    text = text_of(body, "application/json")
    value = message_text.parse(text, literal=False) if text is not None else {}
    if isinstance(value, Flaw):
        raise Malformed("body", value.problem)
    if not isinstance(value, dict):
        raise Malformed("body", wrong_type("an object", value))
    check(value)
    return value


def _first(fields: dict[str, Any], *names: str) -> Any:
    return next((fields[name] for name in names if name in fields), None)


def _level(value: Any, *, alias: bool) -> Permission:
    if value is None:
        return Permission.EXECUTE
    allowed = [one.name for one in Permission if not (alias and one is Permission.UPDATE)]
    if not isinstance(value, str) or value not in allowed:
        raise Malformed("level", f"must be one of {', '.join(allowed)}")
    return Permission[value]


def _max_uses(value: Any) -> int:
    uses = UNLIMITED if value is None else _whole(value)
    if uses is None or not (uses == UNLIMITED or 1 <= uses <= MOST_USES):
        raise Malformed("maxUses", f"must be a positive integer or {UNLIMITED}")
    return uses


def _seconds(value: Any) -> int | None:
    if value is None:
        return None
    seconds = _whole(value)
    if seconds is None or not 1 <= seconds <= LONGEST_SECONDS:
        raise Malformed("expiresIn", f"must be a whole number of seconds from 1 to {LONGEST_SECONDS}")
    return seconds


def _description(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_DESCRIPTION:
        raise Malformed("description", f"must be text of at most {LONGEST_DESCRIPTION} characters")
    return value


def _whole(value: Any) -> int | None:
    """A whole number, also as text, because forms hold only text; None for any other value."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii() and len(value) < 12:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
