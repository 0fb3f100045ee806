"""URL parameters of a message over HTTP."""

import pytest

from pipelinejobs.errors import Malformed
from pipelinejobs.gateway.deliveries import parameters_of


def test_decoded_once_and_the_first_counts() -> None:
    assert parameters_of(b"a=1&a=2&b=%2B+%2525&c&%C3%A4=%C3%B6&=x", None) == {
        "a": "1",
        "b": "+ %25",
        "c": "",
        "ä": "ö",
        "": "x",
    }


def test_the_header_is_the_parameter() -> None:
    assert parameters_of(b"", "one") == {"x_event_id": "one"}
    assert parameters_of(b"x_event_id=one", "one") == {"x_event_id": "one"}
    assert parameters_of(b"x_event_id=", "one") == {"x_event_id": "one"}
    assert parameters_of(b"x_event_id=one", None) == {"x_event_id": "one"}
    with pytest.raises(Malformed, match="header Idempotency-Key"):
        parameters_of(b"x_event_id=one", "two")


@pytest.mark.parametrize("query", [b"a=%FF", b"a=\xff", b"%ED%A0%80=1", b"&".join([b"a=1"] * 1001)])
def test_what_cannot_be_read(query: bytes) -> None:
    with pytest.raises(Malformed, match="parameters: are"):
        parameters_of(query, None)
