"""Nonces as they are stored and redeemed."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.core.permission import Permission
from pipelinejobs.store import Store
from pipelinejobs.store.connection import connect
from pipelinejobs.store.nonces import NewNonce, NonceRefused
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret

SCOPE = "alias:jobs-manager.prod"


def a_nonce(**changes: Any) -> NewNonce:
    return NewNonce(**({"scope": SCOPE, "tenant": "SD2E", "owner": "jdoe"} | changes))


def kind(store: Store, shown: Secret, scope: str = SCOPE, required: Permission = Permission.EXECUTE) -> str:
    with pytest.raises(NonceRefused) as refused:
        store.nonces.redeem(shown, [scope], required)
    return refused.value.kind


def test_the_id_is_in_abacos_form_and_nowhere_in_the_database(store: Store, database: Database[Any]) -> None:
    secret, nonce = store.nonces.make(a_nonce(description="for Agave"))
    tenant, _, rest = secret.reveal().rpartition("_")
    assert tenant == "SD2E"
    assert rest.isalnum()
    assert len(rest) == 24
    assert rest not in str(list(database["gateway_nonces"].find()))
    assert nonce.handle not in secret.reveal()


@pytest.mark.promise("S5")
def test_as_many_uses_as_were_given_however_many_ask_at_once(store: Store) -> None:
    secret, _ = store.nonces.make(a_nonce(max_uses=20))
    outcomes: Counter[str] = Counter()
    barrier = threading.Barrier(64)

    def redeem() -> None:
        barrier.wait()
        try:
            store.nonces.redeem(secret, [SCOPE], Permission.EXECUTE)
            outcomes["redeemed"] += 1
        except NonceRefused as refused:
            outcomes[refused.kind] += 1

    threads = [threading.Thread(target=redeem) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"redeemed": 20, "spent": 44}
    (found,) = store.nonces.of(SCOPE)
    assert (found.remaining, found.used) == (0, 20)
    assert found.last_used is not None


def test_an_unlimited_one_is_counted_and_never_spent(store: Store) -> None:
    secret, _ = store.nonces.make(a_nonce())
    for _ in range(5):
        assert store.nonces.redeem(secret, [SCOPE], Permission.READ).owner == "jdoe"
    (found,) = store.nonces.of(SCOPE)
    assert (found.remaining, found.used, found.max_uses) == (-1, 5, -1)


def test_it_is_valid_in_its_own_scope_only(store: Store) -> None:
    secret, _ = store.nonces.make(a_nonce(max_uses=1))
    assert kind(store, secret, "actor:G1p783PxpalBB") == "unknown"
    assert kind(store, secret, "alias:manager.other") == "unknown"
    assert store.nonces.redeem(secret, ["actor:G1p783PxpalBB", SCOPE], Permission.EXECUTE).scope == SCOPE


@pytest.mark.parametrize("level", [Permission.NONE, Permission.READ, Permission.EXECUTE, Permission.UPDATE])
@pytest.mark.parametrize("required", [Permission.NONE, Permission.READ, Permission.EXECUTE, Permission.UPDATE])
def test_it_allows_its_level_and_those_below(store: Store, level: Permission, required: Permission) -> None:
    secret, _ = store.nonces.make(a_nonce(level=level, max_uses=1))
    if level >= required:
        assert store.nonces.redeem(secret, [SCOPE], required).level is level
        assert kind(store, secret, required=required) == "spent"
    else:
        assert kind(store, secret, required=required) == "level"
        assert store.nonces.of(SCOPE)[0].remaining == 1  # refused for its level, it spends nothing


def test_it_expires_by_the_databases_time(store: Store, database: Database[Any]) -> None:
    secret, nonce = store.nonces.make(a_nonce(seconds=600))
    store.nonces.redeem(secret, [SCOPE], Permission.EXECUTE)
    over = datetime.now(UTC) - timedelta(seconds=1)
    database["gateway_nonces"].update_one({}, {"$set": {"expires": over}})
    assert kind(store, secret) == "unknown"
    assert store.nonces.find(SCOPE, nonce.handle) is not None  # still to be seen
    later = datetime.now(UTC) + timedelta(hours=1)
    database["gateway_nonces"].update_one({}, {"$set": {"expires": later}})
    assert store.nonces.redeem(secret, [SCOPE], Permission.EXECUTE).expires is not None


@pytest.mark.parametrize("shown", ["", "SD2E_", "x" * 129, "SD2E_\0", "SD2E_\ud800", "$ne", "ключ"])
def test_what_is_no_nonce_is_unknown(store: Store, shown: str) -> None:
    store.nonces.make(a_nonce())
    assert kind(store, Secret(shown)) == "unknown"


def test_a_handle_is_no_credential_and_finds_the_nonce(store: Store) -> None:
    secret, nonce = store.nonces.make(a_nonce())
    assert kind(store, Secret(nonce.handle)) == "unknown"
    assert store.nonces.find(SCOPE, nonce.handle) == store.nonces.find(SCOPE, secret.reveal())
    assert store.nonces.find("alias:manager.other", nonce.handle) is None
    assert not store.nonces.delete("alias:manager.other", nonce.handle)
    assert store.nonces.delete(SCOPE, nonce.handle)
    assert not store.nonces.delete(SCOPE, nonce.handle)
    assert kind(store, secret) == "unknown"


def test_it_is_deleted_by_its_id(store: Store) -> None:
    secret, _ = store.nonces.make(a_nonce())
    assert store.nonces.delete(SCOPE, secret.reveal())
    assert store.nonces.of(SCOPE) == []


def test_the_newest_come_first(store: Store, database: Database[Any]) -> None:
    handles = []
    for age in (3, 1, 2):
        _, nonce = store.nonces.make(a_nonce())
        database["gateway_nonces"].update_one(
            {"_id": nonce.handle}, {"$set": {"created": datetime.now(UTC) - timedelta(minutes=age)}}
        )
        handles.append(nonce.handle)
    assert [nonce.handle for nonce in store.nonces.of(SCOPE)] == [handles[1], handles[2], handles[0]]
    assert len(store.nonces.of(SCOPE, 2)) == 2


def test_one_that_is_deleted_while_it_is_redeemed_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, nonce = store.nonces.make(a_nonce(max_uses=5))
    found = store.nonces._nonces.find_one

    def deleted_meanwhile(*arguments: Any, **more: Any) -> Any:
        row = found(*arguments, **more)
        monkeypatch.undo()
        store.nonces.delete(SCOPE, nonce.handle)
        return row

    monkeypatch.setattr(type(store.nonces._nonces), "find_one", lambda _, *a, **k: deleted_meanwhile(*a, **k))
    assert kind(store, secret) == "unknown"


def test_without_a_database_redeeming_is_unavailable(database: Database[Any], free_port: int) -> None:
    away = Store(connect(Secret(f"mongodb://127.0.0.1:{free_port}/"), database.name, timeout=0.3))
    with pytest.raises(Unavailable):
        away.nonces.redeem(Secret("SD2E_x"), [SCOPE], Permission.READ)
    away.close()
