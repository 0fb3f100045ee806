"""Log lines: their form, and what they never show."""

import io
import json
import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from pipelinejobs.util import log, redaction

SECRET: Final = "canary/4711=="

Lines = Callable[[], list[dict[str, Any]]]
"""Everything that was logged so far."""


@pytest.fixture(autouse=True)
def own_logger() -> Iterator[None]:
    """The project's logger, and the known secrets, as they were before the test."""
    logger = log.logger
    kept = (logger.level, list(logger.handlers), logger.propagate)
    known = redaction._known
    redaction._known = redaction._KnownSecrets()  # type: ignore[misc]
    yield
    redaction._known = known  # type: ignore[misc]
    logger.handlers[:] = kept[1]
    logger.setLevel(kept[0])
    logger.propagate = kept[2]


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log goes."""
    return io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    """A log at INFO that knows one secret."""
    log.configure("INFO", [SECRET], stream)

    def read() -> list[dict[str, Any]]:
        text = stream.getvalue()
        assert text.isascii()
        assert text == "" or text.endswith("\n")
        assert text.replace("\n", "").isprintable()
        return [json.loads(line) for line in text.splitlines()]

    return read


def test_a_line(lines: Lines) -> None:
    log.logger.info("delivered to %s", "the Indexer", extra={"fields": {"job": "107b", "attempt": 2, "late": False}})
    (line,) = lines()
    moment = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert abs((datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()) < 60
    assert line == {
        "level": "INFO",
        "message": "delivered to the Indexer",
        "job": "107b",
        "attempt": 2,
        "late": False,
    }


def test_the_level_counts_and_a_second_call_replaces_the_first(lines: Lines) -> None:
    log.logger.debug("no")
    other = io.StringIO()
    log.configure("ERROR", [], other)
    log.logger.warning("no")
    log.logger.error("yes")
    assert lines() == []
    assert other.getvalue().count("yes") == 1


def test_it_goes_to_stderr_as_it_is_at_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("INFO", [])
    log.logger.info("hello")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["message"] == "hello"


@pytest.mark.promise("S14")
@pytest.mark.parametrize(
    "text",
    ["a\r\nb", "\x1b[31mred\x1b[0m", "\x00\x07\x7f\x9b\u2028\u202e", "%n %s %(x)s", "\ud800", "\U0001f600", '"}\n{"'],
    ids=ascii,
)
def test_whatever_is_in_a_text_it_stays_one_line(lines: Lines, stream: io.StringIO, text: str) -> None:
    log.configure("INFO", [], stream)  # once more, to be rid of pytest's own handler, which xdist chokes on
    log.logger.info(text, extra={"fields": {"note": text, text: 1}})
    (line,) = lines()
    assert line["message"] == line["note"] == text
    assert line[text] == 1


@pytest.mark.promise("S14")
def test_long_texts_are_cut(lines: Lines) -> None:
    log.logger.info("x" * 1_000_000, extra={"fields": {"note": "y" * 2001, "whole": "z" * 2000, "k" * 9_000: 1}})
    (line,) = lines()
    assert line["message"] == "x" * 1997 + "..."
    assert line["note"] == "y" * 1997 + "..."
    assert line["whole"] == "z" * 2000
    assert max(map(len, line)) == log.LONGEST


def test_of_many_fields_some_are_written(lines: Lines) -> None:
    log.logger.info("x", extra={"fields": {str(number): number for number in range(10_000)}})
    assert len(lines()[0]) < 100


@pytest.mark.promise("S15")
@pytest.mark.parametrize(
    "spelt", [SECRET, "canary%2F4711%3D%3D", f"before{SECRET}after", f"{SECRET}{SECRET}", f"{{'x': '{SECRET}'}}"]
)
def test_known_secrets_are_hidden(lines: Lines, spelt: str) -> None:
    log.logger.info(f"a {spelt} b", extra={"fields": {"f": spelt, "d": {"a": [spelt]}, spelt: 1}})
    log.logger.info("%s", spelt)
    try:
        raise ValueError(spelt)
    except ValueError:
        log.logger.exception("oh")
    assert "4711" not in json.dumps(lines())
    assert "***" in lines()[0]["message"]


@pytest.mark.promise("S15")
def test_a_secret_is_not_cut_before_it_is_hidden(lines: Lines) -> None:
    log.logger.info("x" * (log.LONGEST - 8) + SECRET)
    assert "canary" not in lines()[0]["message"]


@pytest.mark.promise("S15")
def test_secrets_that_are_met_later(lines: Lines) -> None:
    redaction.add_secret("met-later")
    redaction.add_secret("met-later-too")
    redaction.add_secret("abc")
    log.logger.info("met-later-too met-later abc")
    assert lines()[0]["message"] == "*** *** abc"


@pytest.mark.promise("S15")
def test_configuring_again_forgets_nothing(lines: Lines) -> None:
    redaction.add_secret("met-later")
    log.configure("INFO", ["settings-secret"])
    assert redaction.redacted(f"{SECRET} met-later settings-secret") == "*** *** ***"


def test_of_the_secrets_met_later_the_newest_are_remembered(lines: Lines) -> None:
    redaction.add_secret("token-first")
    redaction.add_secret("token-again")
    for number in range(redaction.REMEMBERED - 1):
        redaction.add_secret(f"token-{number:06}")
    redaction.add_secret("token-again")
    redaction.add_secret("token-last")
    assert redaction.redacted("token-first") == "token-first"
    assert redaction.redacted("token-again token-000200 token-last") == "*** *** ***"
    assert redaction.redacted(SECRET) == "***", "those of the settings stay"


@pytest.mark.promise("S15")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("POST /m?uuid=1&token=c4n4ry&note=x", "POST /m?uuid=1&token=***&note=x"),
        ("/m?x-nonce=SD2E_c4n4ry", "/m?x-nonce=***"),
        ("/m?X-Nonce=c4n4ry more", "/m?X-Nonce=*** more"),
        ("access_token=c4n4ry;", "access_token=***"),
        ("?callback=https%3A%2F%2Fh%2F%3Ftoken%3Dc4n4ry", "?callback=https%3A%2F%2Fh%2F%3Ftoken%3D***"),
        ("Authorization: Bearer c4n4ry", "Authorization: Bearer ***"),
        ("authorization: Basic YzRuNHJ5", "authorization: Basic ***"),
        ("authorization: c4n4ry", "authorization: ***"),
        ("sent bearer c4n4ry.a.b, then", "sent bearer ***, then"),
        ("mongodb://me:c4n4ry@h1,h2/db", "mongodb://***@h1,h2/db"),
        ("mongodb+srv://me:c4n@4ry@h/db?a=b@c", "mongodb+srv://***@h/db?a=b@c"),
        ("https://c4n4ry@h/", "https://***@h/"),
        ("nonce SD2E_JKx3PqOeWvLm", "nonce SD2E_***"),
        ("nonce SD2E_HROytrj1UBKHts4nF23g89b9", "nonce SD2E_***"),
        ("given pj-9KxQ0mZ7abcdEFGH12345678ijklMNOP90qrst now", "given pj-*** now"),
        ("nonce tacc.prod_JKx3PqOeWvLm.", "nonce tacc.prod_***."),
        ('{"uuid": "1", "token": "c4n4ry", "x": 1}', '{"uuid": "1", "token": "***", "x": 1}'),
        ('{"accessToken":"c4n\\"4ry"}', '{"accessToken":"***"}'),
        ('{"token": "c4n4ry', '{"token": "***'),
        ("{'token': 'c4n4ry', 'x-nonce': 'c4n4ry'}", "{'token': '***', 'x-nonce': '***'}"),
        ("{'uuid': '107', '_salt': 'c4n4ry=='}", "{'uuid': '107', '_salt': '***'}"),
        ('{"body": "{\\"token\\": \\"c4n4ry\\"}"}', '{"body": "{\\"token\\": \\"***\\"}"}'),
    ],
)
def test_what_looks_like_a_secret_is_hidden(lines: Lines, text: str, shown: str) -> None:
    log.logger.info(text)
    assert lines()[0]["message"] == shown


@pytest.mark.parametrize(
    "text",
    [
        "107b93f3-1eae-5e79-8a18-0a480f8aa3a5 went from CREATED to RUNNING by run",
        "the token does not fit the job; see _REACTOR_PIPELINES_JOB_INDEXER_NONCE",
        "JOB_NEW_STATUS ARCHIVING_FINISHED jobs_refused _abaco_execution_id x_src_actor_id SOME_LONGDESCRIPTION",
        "https://api.sd2e.org/actors/v2/G1p783PxpalBB/messages answered 500 to jdoe@example.org",
    ],
)
def test_what_does_not_is_shown(lines: Lines, text: str) -> None:
    log.logger.info(text)
    assert lines()[0]["message"] == text


@pytest.mark.promise("S15")
def test_fields_are_hidden_by_their_name(lines: Lines) -> None:
    log.logger.info("x", extra={"fields": {"token": "c4n4ry", "x-nonce": 5, "user_password": b"c4n4ry", "tokens": 3}})
    (line,) = lines()
    assert (line["token"], line["x-nonce"], line["user_password"], line["tokens"]) == ("***", "***", "***", 3)


def test_errors_come_on_one_line(lines: Lines) -> None:
    try:
        raise KeyError("two\nlines")
    except KeyError:
        log.logger.error("it failed", exc_info=True)
    (line,) = lines()
    assert line["error"] == r"KeyError: 'two\nlines'"
    assert "traceback" not in line


def test_tracebacks_come_with_debug_alone(lines: Lines, stream: io.StringIO) -> None:
    log.configure("DEBUG", [], stream)

    def deep(left: int) -> None:
        try:
            raise ValueError(SECRET)
        except ValueError:
            if left:
                deep(left - 1)
            raise

    try:
        deep(20)
    except ValueError:
        log.logger.debug("it failed", exc_info=True)
    (line,) = lines()
    assert line["error"] == "ValueError: ***"
    assert line["traceback"].endswith("ValueError: ***")
    assert "in deep" in line["traceback"]
    assert len(line["traceback"]) <= log.LONGEST


@pytest.fixture
def library() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A library's logger at DEBUG with a handler of its own, and what that handler writes."""
    theirs, written = logging.getLogger("a.library"), io.StringIO()
    handler = logging.StreamHandler(written)
    theirs.addHandler(handler)
    theirs.setLevel(logging.DEBUG)
    yield theirs, written
    theirs.removeHandler(handler)
    theirs.setLevel(logging.NOTSET)


@pytest.mark.promise("S15")
def test_nothing_is_logged_past_it(lines: Lines, library: tuple[logging.Logger, io.StringIO]) -> None:
    theirs, written = library
    with log.alone():
        for logger in (theirs, logging.getLogger(), logging.getLogger("a.library.part")):
            logger.warning("mind the %s", SECRET)
        log.logger.info("all is well")
    assert [line["message"] for line in lines()] == ["mind the ***"] * 3 + ["all is well"]
    assert written.getvalue() == ""
    theirs.warning("afterwards")
    assert written.getvalue() == "afterwards\n"


@pytest.mark.promise("S15")
def test_of_libraries_only_warnings_are_written(
    lines: Lines, stream: io.StringIO, library: tuple[logging.Logger, io.StringIO]
) -> None:
    log.configure("DEBUG", [], stream)
    with log.alone():
        theirs, _ = library
        theirs.debug("a document")
        theirs.info("a request")
        log.logger.debug("ours")
        log.configure("ERROR", [], stream)
        theirs.warning("a trifle")
        theirs.error("a fault")
    assert [line["message"] for line in lines()] == ["ours", "a fault"]


@pytest.mark.promise("S15")
def test_what_is_otherwise_printed_is_logged(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(kind: type[BaseException]) -> None:
        raise kind(SECRET)

    with log.alone():
        for kind in (ValueError, SystemExit):
            thread = threading.Thread(target=fail, args=[kind], name="sender")
            thread.start()
            thread.join()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(SECRET, stacklevel=1)
    ended, warned = lines()
    assert (ended["level"], ended["thread"], ended["error"]) == ("ERROR", "sender", "ValueError: ***")
    assert warned["level"] == "WARNING"
    assert "UserWarning: ***" in warned["message"]
    assert capfd.readouterr() == ("", "")


class Hostile:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)

    __repr__ = __str__


class HostileError(Exception):
    """Cannot be shown either."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    "call",
    [
        lambda: log.logger.info("%d", "no number"),
        lambda: log.logger.info("%s %s", "one"),
        lambda: log.logger.info("%s", Hostile()),
        lambda: log.logger.info(Hostile()),
        lambda: log.logger.info("x", extra={"fields": {"f": Hostile(), Hostile(): 1}}),
        lambda: log.logger.info("x", extra={"fields": "not a mapping"}),
        lambda: log.logger.info("x", extra={"fields": {"message": "mine", "level": 1, None: 2}}),
        lambda: log.logger.info("x", extra={"fields": {"a": 10**5000, "b": float("nan"), "c": b"\xff", "d": {1, 2}}}),
        lambda: log.logger.error("x", exc_info=HostileError()),
        lambda: log.logger.error("x", exc_info=True),
        lambda: log.logger.handle(logging.makeLogRecord({"levelno": 20, "msg": "x", "created": float("inf")})),
    ],
)
def test_formatting_never_fails(
    lines: Lines, stream: io.StringIO, call: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    log.configure("INFO", [], stream)  # once more, to be rid of pytest's own handler, which does fail
    call()
    (line,) = lines()
    assert line["level"] in ("INFO", "ERROR")
    assert line["message"] != "mine"
    assert "4711" not in json.dumps(line)
    assert capfd.readouterr() == ("", ""), "logging reports its own trouble on stderr, unredacted"


@pytest.mark.promise("S15")
def test_a_log_that_cannot_be_written_says_nothing_elsewhere(capfd: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    log.configure("INFO", [], Full())
    log.logger.info("c4n4ry")
    assert capfd.readouterr() == ("", "")


@pytest.mark.promise("S17")
@pytest.mark.parametrize(
    "piece",
    ["//", "//a", "//a:", "\\", '\\"', "'", '"', "token", 'token\\"', '"token": "', "token=", "a_", "aA", "_aA", " ",
     "bearer ", "authorization: ", '"token"' + " " * 9, "http://a:b", "%3D", "@", "x."],
)  # fmt: skip
def test_redaction_takes_linear_time(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        return min(_timed(text) for _ in range(3))

    # Eight times the text may take eight times as long; squared it would be 64 times.
    assert seconds(400_000) < max(25 * seconds(50_000), 0.2)


def _timed(text: str) -> float:
    began = time.process_time()
    redaction.redacted(text)
    return time.process_time() - began
