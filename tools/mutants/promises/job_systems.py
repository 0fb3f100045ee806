"""Job systems are asked politely, and only a status of the asked job is believed."""

from typing import Final

from tools.mutants.mutant import Mutant

_READING: Final = "tests/unit/job_systems/test_job_systems_reading.py"
_HOST: Final = "tests/unit/job_systems/test_job_systems_host.py"
_ASKED: Final = "tests/integration/job_systems/test_job_systems.py"
_KEPT: Final = "tests/integration/job_systems/test_refresh_token.py"

JOB_SYSTEMS: Final = (
    Mutant(
        promises=("S26",),
        what="believes a status that is about another job",
        where="pipelinejobs/job_systems/reading.py:read",
        old="any(result.get(key) not in (None, job) for key in _IDS)",
        new="False",
        tests=(f"{_READING}::test_what_is_not_a_success_about_this_job_says_nothing",),
    ),
    Mutant(
        promises=("S26",),
        what="believes an answer whose envelope says error",
        where="pipelinejobs/job_systems/reading.py:read",
        old='document.get("status") != "success"',
        new="not document",
        tests=(f"{_READING}::test_what_is_not_a_success_about_this_job_says_nothing",),
    ),
    Mutant(
        promises=("S26",),
        what="puts an id that leads to another path into a request",
        where="pipelinejobs/job_systems/asker.py:Asker.unaskable",
        old='_ID.fullmatch(job) and ".." not in job',
        new="_ID.fullmatch(job)",
        tests=(f"{_ASKED}::test_what_is_not_an_id_is_not_asked_for",),
    ),
    Mutant(
        promises=("F22",),
        what="ignores Retry-After of a job system",
        where="pipelinejobs/job_systems/host.py:Host.request",
        old="self._failed(error.reason, error.retry_after)",
        new="self._failed(error.reason, None)",
        tests=(f"{_HOST}::test_a_retry_after_opens_the_circuit_at_once_until_then",),
    ),
    Mutant(
        promises=("F22",),
        what="goes on asking a host that fails",
        where="pipelinejobs/job_systems/host.py:Host._failed",
        old="self._failures >= TOLERATED",
        new="self._failures < 0",
        tests=(f"{_HOST}::test_after_failures_in_a_row_the_circuit_opens",),
    ),
    Mutant(
        promises=("F22",),
        what="lets jobs that are refused hold up the others for hours",
        where="pipelinejobs/job_systems/access_token.py:AccessToken.another",
        old="REFUSED.pause(self._refusals // TOLERATED)",
        new="BACKOFF.pause(self._refusals)",
        tests=(
            "tests/unit/job_systems/test_access_token.py::test_jobs_that_are_always_refused_do_not_hold_up_the_others",
        ),
    ),
    Mutant(
        promises=("F22",),
        what="asks for a new token again as soon as a renewal has failed",
        where="pipelinejobs/job_systems/access_token.py:AccessToken._pause",
        old="self._clock() + BACKOFF.pause(self._renewals)",
        new="self._clock()",
        tests=("tests/unit/job_systems/test_access_token.py::test_a_failed_renewal_is_not_repeated_at_once",),
    ),
    Mutant(
        promises=("F22",),
        what="renews with a refresh token that the server has replaced",
        where="pipelinejobs/job_systems/agave.py:AgaveClient.renew",
        old="isinstance(following, str) and following",
        new="following is None",
        tests=(f"{_ASKED}::test_how_agave_is_asked_for_a_token",),
    ),
    Mutant(
        promises=("S13",),
        what="lets a sender say to which server the credential of a job system is shown",
        where="pipelinejobs/settings/pins.py:PINNABLE",
        old='("history.", "outbox.", "requeue.", "refused.", "limits.", "reconcile.")',
        new='("history.", "outbox.", "requeue.", "refused.", "limits.")',
        tests=(
            "tests/unit/settings/test_reconcile_settings.py::test_a_sender_on_abaco_cannot_say_where_a_credential_goes",
        ),
    ),
    Mutant(
        promises=("S27",),
        what="keeps the refresh token in the database as it is",
        where="pipelinejobs/job_systems/refresh_token.py:RefreshToken._sealed",
        old="self._box.encrypt(json.dumps(content).encode())",
        new="json.dumps(content).encode()",
        tests=(f"{_KEPT}::test_the_database_shows_no_secret",),
    ),
    Mutant(
        promises=("F23",),
        what="keeps using a refresh token that another process has ended",
        where="pipelinejobs/job_systems/agave.py:AgaveClient.renew",
        old="self._refresh_token.look()",
        new="False",
        tests=(f"{_KEPT}::test_one_that_was_ended_by_another_process_is_replaced_at_once",),
    ),
    Mutant(
        promises=("F23",),
        what="forgets a new refresh token that could not be kept at once",
        where="pipelinejobs/job_systems/access_token.py:AccessToken.current",
        old="self._account is not None",
        new="False",
        tests=(f"{_KEPT}::test_it_is_kept_as_soon_as_the_database_is_back",),
    ),
    Mutant(
        promises=("F23",),
        what="puts a refresh token over the newer one of another process",
        where="pipelinejobs/store/refresh_tokens.py:RefreshTokens.save",
        old='{"_id": {"$eq": key}, "sealed": {"$eq": former}}',
        new='{"_id": {"$eq": key}}',
        tests=("tests/integration/store/test_store_refresh_tokens.py::test_only_what_was_loaded_is_replaced",),
    ),
    Mutant(
        promises=("F23",),
        what="goes on with the kept refresh token though the operator has set another",
        where="pipelinejobs/job_systems/refresh_token.py:RefreshToken._look",
        old='content["configured"] == self._configured',
        new="True",
        tests=(f"{_KEPT}::test_a_new_one_in_the_settings_counts",),
    ),
)
