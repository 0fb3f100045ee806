"""The actor names that a gateway serves."""

import pytest

from pipelinejobs.gateway.actor_names import ActorNames, is_id, names, new_id
from pipelinejobs.settings import load


def of(**variables: str) -> ActorNames:
    return names(load({f"_REACTOR_{name.upper()}": value for name, value in variables.items()}))


def test_by_default_the_id_is_made_of_the_alias() -> None:
    one = of()
    assert one.aliases == ("jobs-manager.prod",)
    assert is_id(one.id)
    assert one == of()
    assert one.id != of(pipelines_job_manager_id="jobs-manager.staging").id


def test_an_id_in_the_place_of_the_alias_is_the_id() -> None:
    assert of(pipelines_job_manager_id="G1p783PxpalBB") == ActorNames("G1p783PxpalBB", (), "SD2E")


def test_configured() -> None:
    one = of(gateway_actor_id="G1p783PxpalBB", gateway_aliases="a,b,a,G1p783PxpalBB", gateway_tenant="TACC")
    assert one == ActorNames("G1p783PxpalBB", ("jobs-manager.prod", "a", "b"), "TACC")


def test_scopes() -> None:
    one = of(gateway_actor_id="G1p783PxpalBB")
    assert one.scope("G1p783PxpalBB") == "actor:G1p783PxpalBB"
    assert one.scope("jobs-manager.prod") == "alias:jobs-manager.prod"
    assert one.scope("other") is None
    assert one.scopes == ("actor:G1p783PxpalBB", "alias:jobs-manager.prod")


@pytest.mark.parametrize("text", ["", "jobs-manager.prod", "manager", "G1p783PxpalB", "../..", "\0"])
def test_texts_that_are_no_id(text: str) -> None:
    assert not is_id(text)


def test_ids_are_abacos_and_differ() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(map(is_id, made))
