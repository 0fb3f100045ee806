import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.external import External, assigned, check, parsed
from pipelinejobs.messages.reader import read
from pipelinejobs.util.errors import Malformed
from support.factories import UUID

AGAVE = External("agave", "4183620957716350441-a81f0c2e9b7d-0001-007")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def test_a_name_is_read_as_it_is_written() -> None:
    assert parsed(str(AGAVE)) == AGAVE
    assert parsed("tapis:a:b") == External("tapis", "a:b")


@pytest.mark.parametrize(
    "text", ["", "agave", ":1", "agave:", "Agave:1", "agave: 1", "agave:1\n", "a b:1", "agave:" + "1" * 256, "agave:\0"]
)
def test_what_is_no_name(text: str) -> None:
    assert parsed(text) is None


def test_a_resource_command_can_name_it() -> None:
    data = {"job_system": AGAVE._asdict()}
    assert assigned("resource", data) == AGAVE
    assert assigned("update", data) is None


@given(name=st.sampled_from(["resource", "update"]), data=JSON, named=JSON)
def test_what_is_accepted_is_assigned_or_names_nothing(name: str, data: object, named: object) -> None:
    """Any data are accepted, unless they name an external job that cannot be kept; nothing raises another error."""
    of = data if isinstance(data, dict) else {}
    of = {**of, "job_system": named}
    try:
        check(name, of)
    except Malformed:
        assert assigned(name, of) is None
    else:
        assert (assigned(name, of) is not None) == (name == "resource" and isinstance(named, dict))


@pytest.mark.parametrize(
    ("named", "path"),
    [
        ({}, "data.job_system.system"),
        ({"system": "agave"}, "data.job_system.id"),
        ({"system": "agave", "id": 7}, "data.job_system.id"),
        ({"system": "Agave", "id": "7"}, "data.job_system.system"),
        ({"system": "agave", "id": " 7"}, "data.job_system.id"),
    ],
)
def test_a_wrong_name_is_refused_at_its_place(named: dict[str, object], path: str) -> None:
    body = json.dumps({"uuid": UUID, "name": "resource", "data": {"job_system": named}})
    with pytest.raises(Malformed) as caught:
        read(Delivery(id="d", body=body, parameters={}))
    assert caught.value.path == path


def test_other_uses_of_the_key_are_left_alone() -> None:
    check("resource", {"job_system": "slurm"})
    check("run", {"job_system": {"id": 1}})
