"""Builds, decodes and checks connection strings of MongoDB, without importing the driver.

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
    """`mongodb://username:password@host:port/auth_source`, percent-encoded."""
    user, hidden, source = (quote(part, safe="") for part in (username, password, auth_source))
    server = f"[{host.strip('[]')}]" if ":" in host else host  # IPv6 addresses need brackets
    return f"mongodb://{user}:{hidden}@{server}:{port}/{source}"


def decode(authn: str) -> str:
    """Decodes the setting `mongodb.authn`: base64 of a connection string, URL-safe or not, padded or not.

    White space is ignored, because `base64` wraps its lines and `echo` adds a line break.

    Raises:
        InvalidValue: the text is not base64, or `check` refuses the decoded text.
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
    """Returns `uri`. Raises InvalidValue unless it is a connection string with a host that keeps the write concern."""
    scheme = next((scheme for scheme in _SCHEMES if uri.startswith(scheme)), None)
    if scheme is None:
        raise InvalidValue("must be a connection string that begins with mongodb:// or mongodb+srv://")
    if not uri.isprintable() or " " in uri:
        raise InvalidValue("must be a connection string without white space in it")
    if not re.split(r"[/?]", uri.removeprefix(scheme))[0].rpartition("@")[2]:
        raise InvalidValue("must be a connection string with a host")
    if uri.count("?") > 1:  # versions of the driver differ in where the options begin
        raise InvalidValue("must have at most one ?; write ? in a password as %3F")
    _check_write_concern(uri)
    return uri


def _check_write_concern(uri: str) -> None:
    for name, value in _options(uri):
        if name == "w" and value != "majority":
            raise InvalidValue("must not weaken the write concern: remove the option w, or set it to majority")
        if name in ("journal", "j") and value.lower() != "true":
            raise InvalidValue(f"must not weaken the write concern: remove the option {name}, or set it to true")


def password(uri: str) -> frozenset[str]:
    """The password in a URL such as a connection string, as written and decoded; empty if there is none."""
    userinfo = re.split(r"[/?]", uri.partition("://")[2])[0].rpartition("@")[0]
    hidden = userinfo.partition(":")[2]
    return frozenset({hidden, unquote(hidden), unquote_plus(hidden)} - {""})


def _options(uri: str) -> list[tuple[str, str]]:
    """The options of a connection string, with names in lower case; split and decoded as the driver does."""
    options = []
    for part in re.split(r"[&;]", uri.partition("?")[2]):
        name, _, value = part.partition("=")
        options.append((unquote_plus(name).strip().lower(), unquote_plus(value)))
    return options
