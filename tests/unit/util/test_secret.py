"""A secret does not show itself."""

import json
import pickle

import pytest

from pipelinejobs.util.secret import Secret

CANARY = "canary-4711"


@pytest.mark.promise("S15")
def test_it_is_blank_wherever_it_is_printed() -> None:
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {secret!s} {[secret]} { ({'a': secret}) }"
    assert secret.reveal() == CANARY


@pytest.mark.promise("S15")
def test_it_is_not_serialised() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))


@pytest.mark.promise("S2")
def test_it_is_not_compared_with_equals() -> None:
    with pytest.raises(TypeError):
        assert Secret(CANARY) == Secret(CANARY)


def test_an_empty_one_is_false() -> None:
    assert not Secret("")
    assert Secret("x")
