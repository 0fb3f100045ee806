"""Building the services: which database is used, and the error if there is none."""

from types import MappingProxyType

import pytest

from pipelinejobs import bootstrap
from pipelinejobs.runtime import Context
from pipelinejobs.settings import Settings
from pipelinejobs.util.errors import WrongSetting


def test_an_actor_without_a_database_does_not_start_one() -> None:
    with pytest.raises(WrongSetting, match=r"mongodb\.authn: is not set"):
        bootstrap.services(Settings(), Context(actor_id="G1p783PxpalBB"))


@pytest.mark.parametrize("name", ["mongodb.authn", "mongodb.uri", "mongodb.username"])
def test_a_pinned_database_that_nobody_gives_is_not_replaced_by_another(name: str) -> None:
    pinned = Settings()._replace(pinned=MappingProxyType({name: "0" * 64}))
    with pytest.raises(WrongSetting, match=r"is pinned in config\.yml, but is not set in the environment"):
        bootstrap.services(pinned, Context(local=True))
