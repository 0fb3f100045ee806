"""The section `mongodb` of the settings, and the connection string that it makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pipelinejobs.settings import mongodb_uri
from pipelinejobs.settings.field_types import Hidden, InvalidValue, Location, Row, Text, Whole
from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.installation import DATA
from pipelinejobs.util.secret import Secret

_HOST: Final = Text(r"[A-Za-z0-9][A-Za-z0-9._-]*|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?", "a host name or address")
_DATABASE: Final = Text(r"[^/\\. \"$*<>:|?]{1,63}", 'a database name: at most 63 characters, none of /\\. "$*<>:|?')


class MongodbSection(NamedTuple):
    """The database of the jobs. The settings have the names that python-datacatalog uses."""

    authn: Annotated[
        Secret | None,
        Row(Hidden(mongodb_uri.decode, "urlsafe base64"), "A connection string in URL-safe base64."),
    ] = None
    uri: Annotated[
        Secret | None,
        Row(Hidden(mongodb_uri.check, "a connection string"), "A connection string; set either uri or authn."),
    ] = None
    username: Annotated[
        str | None,
        Row(
            Text(),
            "The user name; if set, the connection string is built from the settings below.",
        ),
    ] = None
    password: Annotated[Secret | None, Row(Hidden(), "The password of username.")] = None
    host: Annotated[str, Row(_HOST, "The server, used with username.")] = "catalog.sd2e.org"
    port: Annotated[int, Row(Whole(1, 65535), "The port, used with username.")] = 27020
    auth_source: Annotated[str, Row(Text(), "The database that holds the account of username.")] = "admin"
    database: Annotated[str, Row(_DATABASE, "The database that holds the jobs.")] = "catalog_staging"
    embedded_directory: Annotated[
        Path, Row(Location(), "The data of the embedded MongoDB, which is used if no database is configured.")
    ] = DATA / ".mongodb"

    def connection(self) -> Secret | None:
        """The connection string: built from username and its parts, else uri, else authn; None if none is set.

        Does not import the driver.

        Raises:
            WrongSetting: a connection string is invalid or weakens the write concern, a part is missing, or uri and
                authn differ.
        """
        whole = self._whole()
        if self.username is not None:
            if self.password is None:
                raise WrongSetting("mongodb.password", "is missing, though mongodb.username is set")
            parts = (self.username, self.password.reveal(), self.host, self.port, self.auth_source)
            return Secret(_read("mongodb.host", mongodb_uri.check, mongodb_uri.build(*parts)))
        if self.password is not None and whole is None:
            raise WrongSetting("mongodb.username", "is missing, though mongodb.password is set")
        return whole

    def _whole(self) -> Secret | None:
        """The connection string in uri or authn."""
        uri = None if self.uri is None else _read("mongodb.uri", mongodb_uri.check, self.uri.reveal())
        unpacked = None if self.authn is None else _read("mongodb.authn", mongodb_uri.decode, self.authn.reveal())
        if uri is not None and unpacked is not None and uri != unpacked:
            raise WrongSetting("mongodb.uri", "differs from mongodb.authn; set only one of them")
        chosen = unpacked if uri is None else uri
        return None if chosen is None else Secret(chosen)


def _read(name: str, reader: Callable[[str], str], text: str) -> str:
    """Applies `reader` to a text, and turns its InvalidValue into WrongSetting."""
    try:
        return reader(text)
    except InvalidValue as invalid:
        raise WrongSetting(name, str(invalid)) from None
