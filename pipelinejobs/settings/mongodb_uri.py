"""Connection strings of MongoDB: built, unpacked and checked, without the driver.

Source of the rules: python-datacatalog's `mongodb.*` settings (`authn`, or user name and parts), and the
project's rule that nothing may weaken the write concern, which is majority with journal.
"""

import base64
import binascii
import re
from urllib.parse import quote, unquote, unquote_plus

from pipelinejobs.settings.field_types import InvalidValue

_SCHEMES = ("mongodb://", "mongodb+srv://")
_UNPADDED = {ord("-"): "+", ord("_"): "/", ord("="): None}


def build(username: str, password: str, host: str, port: int, auth_source: str) -> str:
    """`mongodb://username:password@host:port/auth_source`, every part percent-encoded that may need it."""
    user, hidden, source = (quote(part, safe="") for part in (username, password, auth_source))
    server = f"[{host.strip('[]')}]" if ":" in host else host  # an IPv6 address stands in brackets
    return f"mongodb://{user}:{hidden}@{server}:{port}/{source}"


def decode(authn: str) -> str:
    """The connection string inside `authn`, which is its base64, URL-safe or not, padded or not.

    White space is dropped wherever it is: `base64` wraps its lines, and `echo` ends with a line break. Raises
    InvalidValue where it is not base64 of text, or not of a connection string that `check` lets pass.
    """
    packed = "".join(authn.split())
    if packed.startswith(_SCHEMES):
        raise InvalidValue("must be urlsafe base64; a plain connection string belongs in mongodb.uri")
    packed = packed.translate(_UNPADDED)
    try:
        raw = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
        uri = raw.decode().strip()
    except (ValueError, binascii.Error):
        raise InvalidValue("must be urlsafe base64 of a connection string") from None
    try:
        return check(uri)
    except InvalidValue as invalid:
        raise InvalidValue(f"is base64, but the text in it {invalid}") from None


def check(uri: str) -> str:
    """`uri` itself. Raises InvalidValue unless it is a connection string that names a host and weakens no writing."""
    scheme = next((scheme for scheme in _SCHEMES if uri.startswith(scheme)), None)
    if scheme is None:
        raise InvalidValue("must be a connection string that begins with mongodb:// or mongodb+srv://")
    if not uri.isprintable() or " " in uri:
        raise InvalidValue("must be a connection string without white space in it")
    if not re.split(r"[/?]", uri.removeprefix(scheme))[0].rpartition("@")[2]:
        raise InvalidValue("must be a connection string that names a host")
    if uri.count("?") > 1:  # versions of the driver differ in which one the options begin at
        raise InvalidValue("must be a connection string with one ? at most; in a password it is written %3F")
    _check_write_concern(uri)
    return uri


def _check_write_concern(uri: str) -> None:
    for name, value in _options(uri):
        if name == "w" and value != "majority":
            raise InvalidValue("must not weaken the write concern: leave the option w out, or make it majority")
        if name in ("journal", "j") and value.lower() != "true":
            raise InvalidValue(f"must not weaken the write concern: leave the option {name} out, or make it true")


def password(uri: str) -> frozenset[str]:
    """The password in a connection string or another URL, as written and decoded; empty where it has none."""
    userinfo = re.split(r"[/?]", uri.partition("://")[2])[0].rpartition("@")[0]
    hidden = userinfo.partition(":")[2]
    return frozenset({hidden, unquote(hidden), unquote_plus(hidden)} - {""})


def _options(uri: str) -> list[tuple[str, str]]:
    """The options of a connection string, names in lower case; cut and decoded as the driver does it."""
    options = []
    for part in re.split(r"[&;]", uri.partition("?")[2]):
        name, _, value = part.partition("=")
        options.append((unquote_plus(name).strip().lower(), unquote_plus(value)))
    return options
