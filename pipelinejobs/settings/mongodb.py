"""The section `mongodb` of the settings, and the connection string that it makes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelinejobs.errors import WrongSetting
from pipelinejobs.secret import Secret
from pipelinejobs.settings import mongodb_uri
from pipelinejobs.settings.kinds import ROOT, Hidden, Location, Text, Unfit, Whole, row

_HOST: Final = Text(r"[A-Za-z0-9][A-Za-z0-9._-]*|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?", "a host name or address")
_DATABASE: Final = Text(r"[^/\\. \"$*<>:|?]{1,63}", 'a database name: at most 63 characters, none of /\\. "$*<>:|?')


@dataclass(frozen=True, slots=True, eq=False)  # secrets are not compared outside pipelinejobs.tokens
class Mongodb:
    """Where the jobs are. Names as in python-datacatalog."""

    authn: Secret | None = field(
        default=None,
        metadata=row(Hidden(mongodb_uri.decode, "urlsafe base64"), "Urlsafe base64 of a complete connection string."),
    )
    uri: Secret | None = field(
        default=None,
        metadata=row(
            Hidden(mongodb_uri.check, "a connection string"), "A connection string; set it or authn, not both."
        ),
    )
    username: str | None = field(
        default=None, metadata=row(Text(), "With it the parts below make the connection string, before authn and uri.")
    )
    password: Secret | None = field(default=None, metadata=row(Hidden(), "The password that goes with username."))
    host: str = field(default="catalog.sd2e.org", metadata=row(_HOST, "The server that goes with username."))
    port: int = field(default=27020, metadata=row(Whole(1, 65535), "The port that goes with username."))
    auth_source: str = field(default="admin", metadata=row(Text(), "The database that knows username."))
    database: str = field(default="catalog_staging", metadata=row(_DATABASE, "The database that holds the jobs."))
    embedded_directory: Path = field(
        default=ROOT / ".mongodb",
        metadata=row(Location(), "Data of the laptop's own server, for when nothing else is configured."),
    )

    def connection(self) -> Secret | None:
        """The connection string: from username and its parts, else uri, else authn; None when none is set.

        Raises WrongSetting where one is no connection string, or weakens the write concern, where a part is
        missing, and where uri and authn say different things. No driver is imported for that.
        """
        uri = None if self.uri is None else _read("mongodb.uri", mongodb_uri.check, self.uri.reveal())
        unpacked = None if self.authn is None else _read("mongodb.authn", mongodb_uri.decode, self.authn.reveal())
        if uri is not None and unpacked is not None and uri != unpacked:
            raise WrongSetting("mongodb.uri", "is not the same as what mongodb.authn says; set one of them only")
        chosen = unpacked if uri is None else uri
        if self.username is not None:
            if self.password is None:
                raise WrongSetting("mongodb.password", "is missing, though mongodb.username is set")
            parts = (self.username, self.password.reveal(), self.host, self.port, self.auth_source)
            chosen = _read("mongodb.host", mongodb_uri.check, mongodb_uri.build(*parts))
        elif self.password is not None and chosen is None:
            raise WrongSetting("mongodb.username", "is missing, though mongodb.password is set")
        return None if chosen is None else Secret(chosen)


def _read(name: str, reader: Callable[[str], str], text: str) -> str:
    """What `reader` makes of a text, its Unfit said as the WrongSetting `name`."""
    try:
        return reader(text)
    except Unfit as unfit:
        raise WrongSetting(name, str(unfit)) from None
