"""The text of a message in the body of an HTTP request."""

import contextlib
import gzip
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.http_body import text_of
from pipelinejobs.messages.reader import read
from pipelinejobs.util.errors import Malformed
from support.message_samples import JOB

FORM = "application/x-www-form-urlencoded"
LABELS = [None, "", FORM, "application/json", "application/json; charset=utf-8", "text/plain", "*/*", "nonsense", ";;="]
EVENT = json.dumps({"uuid": JOB, "name": "finish", "data": {"s": "a=b&message=c%20+\xe9"}}, ensure_ascii=False)


def refused(body: bytes, content_type: str | None = None, content_encoding: str | None = None) -> str:
    with pytest.raises(Malformed) as caught:
        text_of(body, content_type, content_encoding)
    return caught.value.reason


@pytest.mark.parametrize("label", [*LABELS, "multipart/form-data; boundary=x"])
def test_json_is_json_whatever_its_label(label: str | None) -> None:
    assert text_of(EVENT.encode(), label) == EVENT
    assert text_of(b" \r\n" + EVENT.encode(), label) == " \r\n" + EVENT


@pytest.mark.parametrize("label", [*LABELS, "application/octet-stream"])
@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t"])
def test_blank_is_no_body(body: bytes, label: str | None) -> None:
    assert text_of(body, label) is None


@pytest.mark.parametrize("label", [FORM, FORM.upper(), FORM + "; charset=utf-8"])
def test_a_forms_message(label: str) -> None:
    assert text_of(urlencode({"message": EVENT, "other": "x"}).encode(), label) == EVENT
    assert text_of(b"message=hello+world%21\r\n", label) == "hello world!"
    assert text_of(b"message=", label) is None
    assert text_of(b"message=+%0A", label) is None


def test_a_form_needs_its_label() -> None:
    assert text_of(b"message=hello", "text/plain") == "message=hello"


@pytest.mark.parametrize("label", [FORM, "application/json"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_the_printed_examples_work_as_printed(label: str, line_break: str) -> None:
    printed = f"""{{"uuid": "{JOB}", \\
        "name": "finish", \\
        "token": "0dc73dc3ff39b49a"}}"""
    text = text_of(printed.replace("\n", line_break).encode(), label)
    event = read(Delivery(id="exec-1", body=text, literal=False))
    assert (event.job, event.name) == (JOB, "finish")


@pytest.mark.promise("S11")
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x\r\n\x1b"])
def test_compressed_bodies_are_refused(encoding: str) -> None:
    reason = refused(gzip.compress(EVENT.encode(), mtime=0), "application/json", encoding)
    assert reason.startswith("header Content-Encoding: is ")
    assert reason.endswith("; send the body uncompressed")
    assert reason.isprintable()


@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity "])
def test_uncompressed_bodies_may_say_so(encoding: str | None) -> None:
    assert text_of(b"{}", None, encoding) == "{}"


@pytest.mark.promise("S9")
@pytest.mark.promise("S11")
@pytest.mark.parametrize(
    ("body", "label", "reason"),
    [
        (b"{}", "application/octet-stream", "header Content-Type: is application/octet-stream, which is not read"),
        (
            b"--x\r\n",
            "multipart/form-data; boundary=x",
            "header Content-Type: is multipart/form-data, which is not read",
        ),
        (EVENT.encode("latin-1"), "application/json", "body: is not UTF-8 at byte "),
        (EVENT.encode("utf-16"), "application/json; charset=utf-16", "body: is not UTF-8 at byte 1;"),
        (b'{\0"\0a\0"\0:\x001\0}\0', "application/json; charset=utf-16", "body: holds NUL characters;"),
        (gzip.compress(b"{}", mtime=0), "application/json", "body: is not UTF-8 at byte 2;"),
        (b"\xed\xa0\x80", None, "body: is not UTF-8 at byte 1;"),
        (b"uuid=107&event=run", FORM, "body: is declared a form by its Content-Type and has no field `message`;"),
        (b"hello", FORM, "body: is declared a form by its Content-Type and has no field `message`;"),
        (b"%7B%22uuid%22%3A1%7D", FORM, "body: is declared a form by its Content-Type and has no field `message`;"),
        (b"message=%ff", FORM, "body: is declared a form by its Content-Type and is not one;"),
        (b"a=1&" * 200, FORM, "body: is declared a form by its Content-Type and is not one;"),
        (b"message=a&message=b", FORM, "body: is a form with the field `message` twice"),
        (b"x" * (1024 * 1024 + 1), None, "body: is larger than 1048576 bytes"),
    ],
)
def test_refusals_say_what_to_send(body: bytes, label: str | None, reason: str) -> None:
    text = refused(body, label)
    assert text.startswith(reason)
    if reason.endswith((";", "read")):
        assert "send the JSON text itself, in UTF-8" in text


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.dictionaries(st.text(), st.text()).map(lambda form: urlencode(form).encode()),
    st.sampled_from([*LABELS, "multipart/form-data", "application/octet-stream"]) | st.text(),
    st.none() | st.text(),
)
def test_nothing_but_a_refusal_is_raised(body: bytes, label: str | None, encoding: str | None) -> None:
    with contextlib.suppress(Malformed):
        text = text_of(body, label, encoding)
        assert text is None or text.strip()
