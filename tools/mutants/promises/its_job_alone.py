"""A credential is good for what it was given for."""

from typing import Final

from tools.mutants.mutant import Mutant

ITS_JOB_ALONE: Final = (
    Mutant(
        promises=("P9", "S1"),
        what="accepts any token as a job's token",
        where="pipelinejobs/core/tokens.py:authority_of",
        old="_any_same(hashes, [*remembered(of_job), *_trusted_of(of_job, sender)])",
        new="job is not None",
        tests=(
            "tests/unit/core/test_decide_lives.py::test_lives",
            "tests/acceptance/test_attacks.py::TestTokens::test_the_token_of_another_job",
        ),
    ),
    Mutant(
        promises=("P9", "S18"),
        what="shows a job to the holder of another job's token",
        where="pipelinejobs/gateway/routes/jobs.py:_shown_to",
        old="call.parts.manager.is_shown(uuid, token, call.principal.user)",
        new="token",
        tests=("tests/integration/gateway/test_gateway_job_token.py::test_it_reads_its_job_alone[/jobs/{}]",),
    ),
    Mutant(
        promises=("P9",),
        what="accepts the tokens of a former life of the job",
        where="pipelinejobs/store/job_document.py:to_job",
        old="{} if former_life else document",
        new="document",
        tests=(
            "tests/acceptance/test_foreign_jobs.py::TestTokensForLife::test_a_job_made_again_forgets_the_tokens_of_its_former_life",
        ),
    ),
    Mutant(
        promises=("P9",),
        what="forgets a job's tokens when another program changes its salt",
        where="pipelinejobs/core/tokens.py:remembered",
        old="list(job.tokens or ())",
        new="list(job.tokens or ())[:0]",
        tests=("tests/unit/core/test_decide_lives.py::test_lives",),
    ),
    Mutant(
        promises=("P9", "S18"),
        what="lets a job's token reset it",
        where="pipelinejobs/core/tokens.py:refusal",
        old="shown is not Authority.ADMINISTRATIVE",
        new="shown is Authority.INDEXER",
        tests=(
            "tests/acceptance/test_foreign_jobs.py::TestAdministrativeTokens::test_a_job_token_is_too_weak_for_what_is_administrative",
        ),
    ),
    Mutant(
        promises=("P9", "S19"),
        what="accepts administrative tokens made of empty settings",
        where="pipelinejobs/core/tokens.py:admin_tokens",
        old="""
            if not (policy.admin_key and policy.admin_secret):
                return ()
            secret, key, lifetime = policy.admin_secret.reveal(), policy.admin_key.reveal(), policy.admin_lifetime
        """,
        new="""
            secret, key = (one.reveal() if one else "" for one in (policy.admin_secret, policy.admin_key))
            lifetime = policy.admin_lifetime
        """,
        tests=("tests/unit/core/test_tokens.py::test_without_both_settings_there_is_no_administrative_token",),
    ),
    Mutant(
        promises=("S1",),
        what="tells a sender without a valid token whether the job exists",
        where="pipelinejobs/service/judge.py:Judge._decision",
        old="refusal or tokens.NO_SUCH_JOB",
        new='"no such job" if job is None else refusal or tokens.NO_SUCH_JOB',
        tests=(
            "tests/integration/gateway/test_gateway_messages.py::TestVerdicts::test_a_wrong_token_and_an_unknown_job_look_alike",
        ),
    ),
    Mutant(
        promises=("S2",),
        what="compares tokens with ==, whose time shows how much of a guess is right",
        where="pipelinejobs/core/tokens.py:same",
        old="hmac.compare_digest(_full_digest(shown), _full_digest(expected))",
        new="_full_digest(shown) == _full_digest(expected)",
        tests=("tests/unit/core/test_tokens.py::test_no_source_file_compares_a_secret_with_equals",),
    ),
    Mutant(
        promises=("S5",),
        what="redeems a nonce more often than it has uses",
        where="pipelinejobs/store/nonces.py:Nonces.redeem",
        old='{"remaining": {"$gt": 0}}',
        new="{}",
        tests=(
            "tests/integration/store/test_store_nonces.py::test_as_many_uses_as_were_given_however_many_ask_at_once",
        ),
    ),
    Mutant(
        promises=("S13",),
        what="takes the user's name from the sender instead of from Abaco",
        where="pipelinejobs/runtime.py:context",
        old='text("_abaco_username")',
        new='text("username") or text("_abaco_username")',
        tests=("tests/unit/test_runtime.py::test_only_abaco_names_the_sender",),
    ),
    Mutant(
        promises=("S13",),
        what="lets a sender override settings that are pinned",
        where="pipelinejobs/settings/pins.py:_check_one",
        old="any(hmac.compare_digest(pin, digest(spelled)) for spelled in _spellings(name, override.text))",
        new="pin",
        tests=("tests/unit/settings/test_pins.py::test_a_sender_cannot_unset_what_is_pinned",),
    ),
    Mutant(
        promises=("S23",),
        what="installs a package that is not locked",
        where="Dockerfile",
        old="RUN pip install --no-cache-dir --require-hashes -r requirements.lock",
        new="RUN pip install --no-cache-dir agavepy -r requirements.lock",
        tests=("tests/acceptance/test_image.py::TestDockerfile::test_installs_what_is_locked_and_nothing_else",),
    ),
    Mutant(
        promises=("S23",),
        what="lets a sender's variables change how the actor's interpreter starts",
        where="Dockerfile",
        old='CMD ["python", "-Es", "/actor/reactor.py"]',
        new='CMD ["python", "/actor/reactor.py"]',
        tests=("tests/acceptance/test_image.py::TestDockerfile::test_starts_isolated_from_the_callers_variables",),
    ),
    Mutant(
        promises=("S16",),
        what="sends to the metadata service of a cloud machine",
        where="pipelinejobs/util/http_client.py:resolve",
        old="all(is_allowed(address) for address in addresses)",
        new="addresses",
        tests=("tests/integration/actors/test_actors.py::test_a_name_that_leads_to_a_link_local_address_is_refused",),
    ),
    Mutant(
        promises=("S22",),
        what="applies an event that comes by GET",
        where="pipelinejobs/gateway/routes/messages.py:router",
        old='["POST"]',
        new='["POST", "GET"]',
        tests=(
            "tests/integration/gateway/test_gateway_messages.py::TestWhatIsNotRead::test_nothing_but_post_changes_anything[GET]",
        ),
    ),
)
