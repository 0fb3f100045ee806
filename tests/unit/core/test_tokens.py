"""Tokens: the published vectors, and what each authority allows."""

import ast
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pipelinejobs
from fsm.lifecycle import EVENTS
from pipelinejobs.core import tokens
from pipelinejobs.core.job import Trusted
from pipelinejobs.core.tokens import Authority, Policy, token_hash
from pipelinejobs.util.secret import Secret
from support.factories import ADMIN, NOW, SALT, TOKEN, UUID, a_command, a_job

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "token-vectors.json").read_text())
POLICY = Policy(admin_key=Secret("a key"), admin_secret=Secret("a secret"))
TIME = NOW.timestamp()


@pytest.mark.parametrize("vector", VECTORS["job_token"]["vectors"], ids=lambda vector: vector["note"])
def test_job_token_vector(vector: dict[str, Any]) -> None:
    record = vector["record"]
    token = tokens.job_token(record["uuid"], vector["salt"], record.get("_admin"), has_admin="_admin" in record)
    assert token == vector["token"]


@pytest.mark.parametrize("vector", VECTORS["admin_token"]["vectors"])
def test_administrative_token_vector(vector: dict[str, Any]) -> None:
    policy = Policy(
        admin_key=Secret(vector["key"]), admin_secret=Secret(vector["secret"]), admin_lifetime=vector["lifetime"]
    )
    both = tokens.admin_tokens(policy, vector["unix_time"])
    assert both == (vector["token"], vector["previous_token"])


@pytest.mark.promise("S19")
@pytest.mark.parametrize(("key", "secret"), [(None, None), ("k", None), (None, "s"), ("", ""), ("k", "")])
def test_without_both_settings_there_is_no_administrative_token(key: str | None, secret: str | None) -> None:
    policy = Policy(
        admin_key=Secret(key) if key is not None else None, admin_secret=Secret(secret) if secret is not None else None
    )
    assert tokens.admin_tokens(policy, TIME) == ()


@pytest.mark.promise("S19")
def test_an_administrative_token_lives_to_the_end_of_the_next_window() -> None:
    token = tokens.admin_tokens(POLICY, 7200)[0]
    event = a_command("reset", token)
    for time, good in [(7199, False), (7200, True), (10799, True), (14399, True), (14400, False)]:
        shown = tokens.authority(a_job(), event, POLICY, time)
        assert (shown is Authority.ADMINISTRATIVE) is good, time


def test_the_jobs_own_token_shows_its_authority() -> None:
    assert tokens.authority(a_job(), a_command("run"), POLICY, TIME) is Authority.JOB


WRONG = ["", "null", "None", TOKEN.upper(), TOKEN[:-1], TOKEN + "0", TOKEN.replace("f", "\uff46"), "x" * 1_000_000]


@pytest.mark.promise("S1")
@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_a_wrong_token_shows_nothing(wrong: str) -> None:
    event = a_command("run", wrong)
    assert tokens.authority(a_job(), event, POLICY, TIME) is Authority.NONE
    assert tokens.refusal(Authority.NONE, event) == tokens.NO_SUCH_JOB


@pytest.mark.promise("P9")
def test_the_token_of_another_job_shows_nothing() -> None:
    other = tokens.job_token("107b93f3-1eae-5e79-8a18-0a480f8aa3a6", SALT, ADMIN)
    assert tokens.authority(a_job(), a_command("run", other), POLICY, TIME) is Authority.NONE


@pytest.mark.promise("S1")
def test_an_unknown_job_and_a_wrong_token_are_told_the_same() -> None:
    for token in (None, "wrong"):
        event = a_command("run", token)
        answers = {tokens.refusal(tokens.authority(job, event, POLICY, TIME), event) for job in (None, a_job())}
        assert len(answers) == 1


def test_a_job_without_salt_has_no_token() -> None:
    job = a_job(salt=None)
    assert tokens.authority(job, a_command("run"), POLICY, TIME) is Authority.NONE
    nothing = tokens.job_token(UUID, "", ADMIN)
    assert tokens.authority(job, a_command("run", nothing), POLICY, TIME) is Authority.NONE


def test_tokens_that_are_remembered_stay_good() -> None:
    job = a_job(salt="rotated", tokens=(token_hash(UUID, TOKEN),))
    assert tokens.authority(job, a_command("run"), POLICY, TIME) is Authority.JOB


@pytest.mark.parametrize("shown", [(TOKEN, "old"), ("old", TOKEN)])
def test_of_two_tokens_one_good_one_is_enough(shown: tuple[str, ...]) -> None:
    event = a_command("run", tokens=tuple(map(Secret, shown)))
    assert tokens.authority(a_job(), event, POLICY, TIME) is Authority.JOB
    assert tokens.authority(a_job(salt="rotated"), event, Policy(trust_on_first_use=False), TIME) is Authority.NONE


def test_the_first_and_the_newest_eight_tokens_are_remembered() -> None:
    job = a_job(tokens=tuple(f"t{n}" for n in range(10)))
    assert tokens.remembered(job) == ["t0", *[f"t{n}" for n in range(3, 10)], token_hash(UUID, TOKEN)]


def test_a_token_is_remembered_once() -> None:
    assert tokens.remembered(a_job(tokens=(token_hash(UUID, TOKEN),))) == [token_hash(UUID, TOKEN)]


@pytest.mark.promise("S18")
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("shown", Authority)
def test_what_each_authority_allows(event: str, shown: Authority) -> None:
    allowed = tokens.refusal(shown, a_command(event)) is None
    administrative = event in ("reset", "ready")
    if shown is Authority.NONE or event == "create":
        assert not allowed
    elif administrative:
        assert allowed is (shown is Authority.ADMINISTRATIVE)
    else:
        assert allowed


class TestTrustedIndexer:
    policy = Policy(trusted_indexers=frozenset({"indexer"}))

    @pytest.mark.parametrize("name", EVENTS)
    def test_it_may_index_without_a_token_and_nothing_else(self, name: str) -> None:
        shown = tokens.authority(a_job(), a_command(name, None, sender="indexer"), self.policy, TIME)
        assert shown is (Authority.INDEXER if name in ("index", "indexed") else Authority.NONE)

    @pytest.mark.parametrize("sender", [None, "", "Indexer", "jdoe"])
    def test_nobody_else_may(self, sender: str | None) -> None:
        shown = tokens.authority(a_job(), a_command("indexed", None, sender=sender), self.policy, TIME)
        assert shown is Authority.NONE

    def test_a_wrong_token_is_not_made_good_by_the_name(self) -> None:
        event = a_command("indexed", "wrong", sender="indexer")
        assert tokens.authority(a_job(), event, self.policy, TIME) is Authority.NONE


class TestTrustOnFirstUse:
    policy = Policy()
    rotated: ClassVar[dict[str, Any]] = {"revision": 1, "salt": "rotated by others"}
    mine: ClassVar[Trusted] = Trusted("jdoe", token_hash(UUID, TOKEN))
    strangers: ClassVar[Trusted] = Trusted("stranger", token_hash(UUID, "0" * 16))

    def test_a_token_from_before_this_project_saw_the_job_is_taken(self) -> None:
        shown = tokens.authority(a_job("RUNNING", **self.rotated), a_command("update"), self.policy, TIME)
        assert shown is Authority.FIRST_USE

    @pytest.mark.parametrize(
        ("job", "event", "policy"),
        [
            (a_job("RUNNING", **rotated), a_command("update"), Policy(trust_on_first_use=False)),
            (a_job("RUNNING", revision=0, salt="other"), a_command("update"), policy),
            (a_job("RUNNING", **rotated, tokens=("other",)), a_command("update"), policy),
            (a_job("RUNNING", **rotated), a_command("update", sender=None), policy),
            (a_job("RUNNING", **rotated), a_command("update", ""), policy),
            (a_job("RUNNING", **rotated), a_command("update", None), policy),
        ],
        ids=["switched off", "never rotated", "seen before", "no authenticated sender", "empty token", "no token"],
    )
    def test_otherwise_it_is_not(self, job: Any, event: Any, policy: Policy) -> None:
        assert tokens.authority(job, event, policy, TIME) is Authority.NONE

    def test_a_trusted_token_is_good_from_its_sender_alone(self) -> None:
        job = a_job("RUNNING", **self.rotated, tokens=("x",), trusted=(self.mine,))
        for policy in (self.policy, Policy(trust_on_first_use=False)):
            assert tokens.authority(job, a_command("update"), policy, TIME) is Authority.JOB
            assert tokens.authority(job, a_command("update", "other"), policy, TIME) is Authority.NONE
        strict = Policy(trust_on_first_use=False)
        assert tokens.authority(job, a_command("update", sender="stranger"), strict, TIME) is Authority.NONE

    @pytest.mark.promise("S18")
    def test_a_stranger_who_comes_first_locks_no_sender_out(self) -> None:
        job = a_job("RUNNING", **self.rotated, tokens=("x",), trusted=(self.strangers,))
        assert tokens.authority(job, a_command("update"), self.policy, TIME) is Authority.FIRST_USE
        assert tokens.authority(job, a_command("update", "0" * 16), self.policy, TIME) is Authority.FIRST_USE
        wrong = a_command("update", sender="stranger")
        assert tokens.authority(job, wrong, self.policy, TIME) is Authority.NONE

    def test_a_job_that_was_made_again_gives_no_reason_to_trust(self) -> None:
        job = a_job("CREATED", revision=5, salt="of the new life")
        assert tokens.authority(job, a_command("update"), self.policy, TIME) is Authority.NONE

    def test_a_token_of_a_former_life_is_never_trusted(self) -> None:
        job = a_job("RUNNING", **self.rotated, former_tokens=(token_hash(UUID, TOKEN),))
        assert tokens.authority(job, a_command("update"), self.policy, TIME) is Authority.NONE
        assert tokens.authority(job, a_command("update", "0" * 16), self.policy, TIME) is Authority.FIRST_USE

    def test_an_attempt_that_another_program_began_has_a_token_of_its_own(self) -> None:
        before = Trusted("jdoe", token_hash(UUID, "0" * 16), "108-first")
        job = a_job(
            "RUNNING", **self.rotated, tokens=("x",), trusted=(before,), attempt="108-second", others_attempt=True
        )
        assert tokens.authority(job, a_command("update"), self.policy, TIME) is Authority.FIRST_USE
        job = job._replace(trusted=(before, Trusted("jdoe", token_hash(UUID, TOKEN), "108-second")))
        for shown, expected in ((TOKEN, Authority.JOB), ("0" * 16, Authority.JOB), ("1" * 16, Authority.NONE)):
            assert tokens.authority(job, a_command("update", shown), self.policy, TIME) is expected

    def test_the_senders_are_bounded(self) -> None:
        many = tuple(self.strangers._replace(sender=f"sender {n}") for n in range(100))
        job = a_job("RUNNING", **self.rotated, tokens=("x",), trusted=many)
        assert tokens.authority(job, a_command("update"), self.policy, TIME) is Authority.NONE

    def test_what_a_former_version_trusted_is_good_from_anyone(self) -> None:
        job = a_job("RUNNING", **self.rotated, tokens=("x",), trusted=(self.mine._replace(sender=None),))
        assert tokens.authority(job, a_command("update", sender="stranger"), self.policy, TIME) is Authority.JOB
        assert tokens.authority(job, a_command("update", "other"), self.policy, TIME) is Authority.NONE

    def test_what_is_stored_does_not_hold_the_token(self) -> None:
        assert TOKEN not in token_hash(UUID, TOKEN)

    @pytest.mark.promise("S1")
    @pytest.mark.parametrize("name", ["create", "reset", "ready"])
    def test_what_it_may_not_do_is_refused_as_for_an_unknown_job(self, name: str) -> None:
        assert tokens.refusal(Authority.FIRST_USE, a_command(name)) == tokens.NO_SUCH_JOB

    def test_it_never_makes_an_administrator(self) -> None:
        assert tokens.refusal(Authority.FIRST_USE, a_command("reset")) is not None


@pytest.mark.promise("S2")
def test_no_source_file_compares_a_secret_with_equals() -> None:
    secret_names = {"token", "salt", "secret", "key", "nonce", "shown", "expected"}
    source = Path(pipelinejobs.__file__).parent / "core" / "tokens.py"
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            names = {
                part.id
                for side in [node.left, *node.comparators]
                for part in ast.walk(side)
                if isinstance(part, ast.Name)
            }
            assert not names & secret_names, ast.unparse(node)
