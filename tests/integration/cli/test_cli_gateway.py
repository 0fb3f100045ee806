"""Commands for operators of the gateway: `nonce`, `bearer-token`; and `serve` without its libraries."""

import re
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.credentials import Credentials
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.gateway.auth.static_tokens import StaticTokens
from pipelinejobs.settings import load
from pipelinejobs.store import Store
from pipelinejobs.store.nonces import NonceRefused
from pipelinejobs.util.secret import Secret

ROOT = Path(__file__).resolve().parents[3]
ALIAS = "alias:jobs-manager.prod"


class TestNonce:
    def test_one_that_is_added_lets_its_owner_in(self, cli: Any, store: Store) -> None:
        made = cli.ok("nonce", "add", "--max-uses", "2", "--days", "30", "--description", "x", "--owner", "jdoe")
        assert (made["name"], made["level"], made["remaining"], made["owner"]) == (
            "jobs-manager.prod",
            "EXECUTE",
            2,
            "jdoe",
        )
        nonce = store.nonces.redeem(Secret(made["id"]), [ALIAS], Permission.EXECUTE)
        assert (nonce.owner, nonce.by_operator) == ("jdoe", True)
        assert nonce.expires is not None

    def test_the_list_shows_no_id(self, cli: Any) -> None:
        made = cli.ok("nonce", "add")
        (listed,) = cli.ok("nonce", "list")
        assert listed["handle"] == made["handle"]
        text = cli("nonce", "list").out
        assert made["handle"] in text
        assert made["id"] not in text
        assert text.splitlines()[1].split()[1:6] == ["jobs-manager.prod", "EXECUTE", "any", "0", "never"]

    @pytest.mark.parametrize("key", ["id", "handle"])
    def test_it_is_deleted_by_id_or_handle(self, cli: Any, store: Store, key: str) -> None:
        made = cli.ok("nonce", "add")
        assert cli.ok("nonce", "delete", made[key]) == {"deleted": True}
        with pytest.raises(NonceRefused):
            store.nonces.redeem(Secret(made["id"]), [ALIAS], Permission.READ)
        done = cli("nonce", "delete", made[key])
        assert (done.exit_code, done.err) == (1, "nonce: the actor has no such nonce\n")
        assert cli("nonce", "list").out == "no nonces\n"

    def test_of_the_actor(self, cli: Any, store: Store) -> None:
        variables = {"_REACTOR_GATEWAY_ACTOR_ID": "G1p783PxpalBB"}
        made = cli.ok("nonce", "add", "--level", "UPDATE", "--name", "G1p783PxpalBB", **variables)
        assert (
            store.nonces.redeem(Secret(made["id"]), ["actor:G1p783PxpalBB"], Permission.UPDATE).level
            is Permission.UPDATE
        )
        assert [nonce["name"] for nonce in cli.ok("nonce", "list", **variables)] == ["G1p783PxpalBB"]
        assert cli.ok("nonce", "list", "--name", "jobs-manager.prod", **variables) == []

    def test_what_cannot_be(self, cli: Any, database: Database[Any]) -> None:
        assert "at most the level EXECUTE" in cli("nonce", "add", "--level", "UPDATE").err
        assert "the actor has no alias or id other" in cli("nonce", "add", "--name", "other").err
        assert cli("nonce").exit_code == 2
        assert cli("nonce", "add", "--max-uses", "0").exit_code == 2
        assert database["gateway_nonces"].count_documents({}) == 0


class TestBearer:
    def test_the_token_is_what_the_setting_says(self, cli: Any) -> None:
        made = cli.ok("bearer-token", "jdoe@tacc", "--permission", "UPDATE")
        assert re.fullmatch(r"pj-[A-Za-z0-9]{40}", made["token"])
        assert made["token"] not in made["setting"]
        grants = load({"_REACTOR_GATEWAY_TOKENS": made["setting"]}).gateway.tokens
        known = StaticTokens(grants).identify(Credentials(bearer=Secret(made["token"])))
        assert known == Principal("jdoe@tacc", Permission.UPDATE, "token")
        assert StaticTokens(grants).identify(Credentials(bearer=Secret(made["token"] + "x"))) is None
        assert cli.ok("bearer-token", "jdoe@tacc")["token"] != made["token"]

    def test_former_names_work(self, cli: Any) -> None:
        assert cli.ok("bearer", "jdoe", "--right", "READ")["setting"].startswith("jdoe:READ:sha256:")

    @pytest.mark.parametrize("user", ["", "a b", "a,b", "a:b", "*", "x" * 129])
    def test_what_is_no_name(self, cli: Any, user: str) -> None:
        assert cli("bearer-token", user).exit_code == 2
