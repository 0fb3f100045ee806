"""URL parameters of a message over HTTP."""

import pytest

from pipelinejobs.gateway.deliveries import parameters_of


def test_decoded_once_and_the_first_counts() -> None:
    assert parameters_of(b"a=1&a=2&b=%2B+%2525&c&%C3%A4=%C3%B6&=x") == {
        "a": "1",
        "b": "+ %25",
        "c": "",
        "ä": "ö",
        "": "x",
    }


@pytest.mark.parametrize(
    ("query", "given"),
    [
        (b"a=%FF&b=1", {"a": "\ufffd", "b": "1"}),
        (b"a=\xff", {"a": "\ufffd"}),
        (b"filename=%E9chantillon.csv&status=FINISHED", {"filename": "\ufffdchantillon.csv", "status": "FINISHED"}),
        (b"%ED%A0%80=1", {"\ufffd\ufffd\ufffd": "1"}),
        (b"a", {"a": ""}),
        (b"&&=&", {"": ""}),
    ],
)
def test_what_is_not_utf_8_is_replaced(query: bytes, given: dict[str, str]) -> None:
    assert parameters_of(query) == given


def test_there_may_be_many() -> None:
    assert len(parameters_of(b"&".join(b"p%d=1" % number for number in range(8000)))) == 8000
