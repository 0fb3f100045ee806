"""The connection to MongoDB, with guarantees that a connection string cannot weaken."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    ConfigurationError,
    DocumentTooLarge,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from pipelinejobs.util.errors import OutcomeUnknown, PipelineJobsError, Unavailable, WrongSetting
from pipelinejobs.util.secret import Secret

Document = dict[str, Any]

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""A time that has passed for every server: as a due date it means at once, as the end of a lease that there is none."""

_DURABLE: Final = WriteConcern(w="majority", j=True)
_TOLERANT: Final[CodecOptions[Document]] = CodecOptions(
    tz_aware=True,
    unicode_decode_error_handler="replace",  # reads text of other programs that is not UTF-8
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,  # reads dates after the year 9999
)
_LINEARIZABLE: Final = ReadConcern("linearizable")
_NOT_A_REPLICA_SET: Final = 123
_NOT_ALLOWED_IN: Final = frozenset({13, 18, 8000})  # Unauthorized, AuthenticationFailed, Atlas's AuthenticationFailed
TOO_LARGE: Final = frozenset({10334, 17419, 17420})
"""The server's error codes for a document of more than 16 MB."""


class DocumentFull(PipelineJobsError):
    """The job's document has reached MongoDB's limit of 16 MB."""


def connect(uri: Secret, database: str, *, timeout: float, brief: bool = False) -> Database[Document]:
    """A database that connects at the first operation.

    Args:
        uri: a complete connection string.
        database: the database's name.
        timeout: seconds that one operation may take, the driver's retries included.
        brief: True in a process that lives for seconds: the driver opens fewer connections to monitor the servers, and
            checks them every ten seconds and after each error.

    Raises:
        WrongSetting: the driver refuses the connection string or the database's name.
    """
    try:
        client: pymongo.MongoClient[Document] = pymongo.MongoClient(
            uri.reveal(),
            appname="pipelinejobs-manager",
            connect=False,
            timeoutMS=int(timeout * 1000),
            serverSelectionTimeoutMS=int(timeout * 1000),
            retryWrites=True,
            retryReads=True,
            serverMonitoringMode="poll" if brief else "auto",
        )
        return client.get_database(
            database,
            codec_options=_TOLERANT,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=_DURABLE,
        )
    except (InvalidURI, ConfigurationError, PyMongoError, ValueError, TypeError) as error:
        # Not the error's text, which may quote the connection string.
        raise WrongSetting(
            "mongodb", f"the connection string or database name is not usable ({type(error).__name__})"
        ) from None


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limits the time of all database operations in the block together. A nested limit can only shorten it.

    Raises:
        Unavailable: `seconds` is 0 or less.
    """
    if seconds <= 0:
        raise Unavailable("timed out; nothing was changed - send the same delivery again")
    with pymongo.timeout(seconds):
        yield


@contextmanager
def translated(*, writing: bool = False) -> Iterator[None]:
    """Turns the driver's errors into this project's.

    Args:
        writing: whether the operation in the block writes. An error after which the write may or may not have happened
            then becomes `OutcomeUnknown`.

    Raises:
        WrongSetting: the server refuses the user.
        DocumentFull: the document would exceed 16 MB.
        Unavailable, OutcomeUnknown: any other error of the driver.
    """
    try:
        yield
    except ServerSelectionTimeoutError as error:
        raise Unavailable("no MongoDB server could be reached in time; nothing was changed") from error
    except (PyMongoError, BSONError, OverflowError) as error:
        if isinstance(error, DocumentTooLarge) or getattr(error, "code", None) in TOO_LARGE:
            raise DocumentFull from None
        if isinstance(error, OperationFailure) and error.code in _NOT_ALLOWED_IN:
            raise WrongSetting(
                "mongodb", "the server refuses the user or password, or the user lacks a permission"
            ) from None
        what = type(error).__name__
        if isinstance(error, WriteError):
            raise Unavailable(f"MongoDB refused the write (code {error.code}); nothing was changed") from error
        if writing:
            raise OutcomeUnknown(
                f"MongoDB did not confirm the write in time ({what}); the write may or may not have happened"
            ) from error
        raise Unavailable(f"MongoDB could not be asked ({what}); nothing was changed") from error


def database_time(database: Database[Document]) -> datetime:
    """The database's time, on which hosts with different clocks agree. Call this inside `translated`."""
    hello = database.client.admin.command("hello", codec_options=database.codec_options)
    time: datetime = hello["localTime"]
    return time


def confirmed(collection: Collection[Document], query: Document, fields: Document) -> Document | None:
    """The document that a query finds, by a linearizable read; None if there is none.

    A primary that was cut off or suspended answers with old data until it learns that it was replaced. In a
    linearizable read, a majority of the servers confirms that the answering server is the primary. A standalone server
    always is, and has no such read.

    Raises:
        Unavailable: the database cannot be asked.
    """
    with translated():
        try:
            return collection.with_options(read_concern=_LINEARIZABLE).find_one(query, fields)
        except OperationFailure as error:
            if error.code != _NOT_A_REPLICA_SET:
                raise
        return collection.find_one(query, fields)
