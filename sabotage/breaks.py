"""The deliberate breaks: what is broken, how, which promises that breaks, and which tests have to fail."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One break of the product.

    Attributes:
        promises: what it breaks: ids of the fault list, promises (P), faults (F) and attacks (S).
        what: what the broken product does, in words.
        file: the file that is changed.
        old, new: the text that stands there once, and what takes its place.
        tests: pytest's names of tests; each of them, run alone, has to fail.
    """

    promises: tuple[str, ...]
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


DURABLE: Final = (
    Break(
        promises=("P1", "F1", "F2"),
        what="waits for one server instead of a majority",
        file="pipelinejobs/store/connection.py",
        old='WriteConcern(w="majority", j=True)',
        new="WriteConcern(w=1, j=True)",
        tests=(
            "tests/integration/gateway/test_gateway_executions.py::test_no_second_durable_write",
            "tests/acceptance/test_nemesis.py::test_the_account_finds_a_loss_where_there_is_one",
        ),
    ),
    Break(
        promises=("P1", "F3", "F4"),
        what="believes a primary that was deposed",
        file="pipelinejobs/store/connection.py",
        old="collection.with_options(read_concern=_LINEARIZABLE).find_one(query, fields)",
        new="collection.find_one(query, fields)",
        tests=("tests/integration/test_deposed_primary.py::test_it_is_not_believed",),
    ),
    Break(
        promises=("P2", "P5"),
        what="takes a group for written of which a part was",
        file="pipelinejobs/store/jobs.py",
        old="        if matched == len(writes):\n",
        new="        if matched:\n",
        tests=(
            ("tests/integration/test_groups_of_writes.py::test_those_that_lost_their_race_are_told_from_the_others"),
        ),
    ),
    Break(
        promises=("P10",),
        what="judges two events of one job at the same time",
        file="pipelinejobs/gateway/groups.py",
        old="            if line is not None:\n",
        new="            if line is None:\n",
        tests=("tests/unit/gateway/test_groups.py::test_of_one_job_one_at_a_time_and_in_order",),
    ),
    Break(
        promises=("P1",),
        what="takes a connection string that weakens the write concern",
        file="pipelinejobs/settings/mongodb_uri.py",
        old='if name == "w" and value != "majority":',
        new='if name == "w" and value == "":',
        tests=("tests/unit/settings/test_settings.py::test_nothing_weakens_the_write_concern",),
    ),
    Break(
        promises=("P1", "F5"),
        what="says applied where the database has not confirmed",
        file="pipelinejobs/manager.py",
        old="execution, Verdict.UNAVAILABLE, ",
        new="execution, Verdict.APPLIED, ",
        tests=(
            (
                "tests/integration/test_manager.py::TestUnknownOutcome"
                "::test_when_the_time_is_over_it_says_that_it_does_not_know"
            ),
        ),
    ),
    Break(
        promises=("P1", "P5"),
        what="takes older history out of the job without having copied it",
        file="pipelinejobs/store/history.py",
        old="self._moved.insert_many(rows, ordered=False)",
        new="pass",
        tests=("tests/integration/test_store_history.py::test_older_entries_move_and_all_are_read_in_order",),
    ),
)

ONCE: Final = (
    Break(
        promises=("P2", "F13"),
        what="writes onto a job that has the event already",
        file="pipelinejobs/store/documents.py",
        old='        "history.uuid": {"$nin": [entry.uuid for entry in change.entries]},\n',
        new="",
        tests=(
            "tests/integration/test_store_jobs.py::test_the_same_event_is_not_written_twice",
            "tests/integration/test_manager_lives.py::test_lives",
        ),
    ),
    Break(
        promises=("P2",),
        what="takes a repeated command for a new one",
        file="pipelinejobs/decide.py",
        old="    if seen is not None:\n",
        new="    if seen is not None and event.kind is Kind.REPORT:\n",
        tests=("tests/unit/test_decide_lives.py::test_lives",),
    ),
    Break(
        promises=("P2",),
        what="does not know an event again whose entry has moved to jobs_history",
        file="pipelinejobs/manager.py",
        old="seen = moved.get(uuid)",
        new="seen = None",
        tests=(
            "tests/integration/test_manager.py::TestLongHistory::test_nothing_is_lost_and_nothing_is_applied_twice",
        ),
    ),
    Break(
        promises=("P2",),
        what="does not look at the sender's id of an event",
        file="pipelinejobs/messages/event_id.py",
        old="    if event_id is None:\n",
        new="    if event_id is None or not event_id.startswith(_EXECUTION):\n",
        tests=(
            "tests/integration/gateway/test_gateway_messages.py::TestVerdicts::test_duplicate_gets_the_first_status",
        ),
    ),
    Break(
        promises=("P2",),
        what="applies a reset again that is sent twice, because it began a new attempt",
        file="pipelinejobs/identity.py",
        old="where = job.life if event.external is None else attempt_of(job, event)",
        new="where = attempt_of(job, event)",
        tests=("tests/integration/test_manager.py::test_a_reset_sent_twice_is_applied_once",),
    ),
    Break(
        promises=("P2", "F5"),
        what="says duplicate to the sender whose own write was not confirmed",
        file="pipelinejobs/manager.py",
        old="if case.unconfirmed and ",
        new="if not case.unconfirmed and ",
        tests=("tests/integration/test_manager.py::TestUnknownOutcome::test_the_event_is_applied_once_and_said_to_be",),
    ),
    Break(
        promises=("P2", "F5"),
        what="says applied to a repetition whose own write was not confirmed",
        file="pipelinejobs/store/jobs.py",
        old=', "_execution": {"$eq": execution}}',
        new="}",
        tests=(
            "tests/integration/test_manager.py::TestUnknownOutcome::test_a_repetition_after_a_look_at_the_past_is_a_duplicate",
        ),
    ),
)

IN_ANY_ORDER: Final = (
    Break(
        promises=("P3", "F14"),
        what="does not imply the missing run when the end is told first",
        file="pipelinejobs/decide.py",
        old="return destination(started, event.name) if started is not None else None",
        new="return None",
        tests=("tests/unit/test_decide_orders.py::test_seven_reports_in_all_5040_orders",),
    ),
    Break(
        promises=("P3", "F14"),
        what="lets a late report of running take a job out of its end",
        file="fsm/lifecycle.py",
        old='Move("run", ("CREATED", "RUNNING"), "RUNNING")',
        new='Move("run", ("CREATED", "RUNNING", "FINISHED", "FAILED"), "RUNNING")',
        tests=("tests/unit/test_decide_orders.py::test_seven_reports_in_all_5040_orders",),
    ),
    Break(
        promises=("P3",),
        what="counts reports of the attempt before a reset",
        file="pipelinejobs/decide.py",
        old="if identity.attempt_of(job, event) != job.attempt:",
        new="if not job.attempt:",
        tests=("tests/integration/test_manager.py::test_reports_of_the_run_before_a_reset_are_stale",),
    ),
)

ONE_INDEX_REQUEST: Final = (
    Break(
        promises=("P4",),
        what="owes another index request for finish on a finished job",
        file="pipelinejobs/decide.py",
        old="entered = after != job.state",
        new='entered = after != job.state or event.name == "finish"',
        tests=(
            "tests/unit/test_decide.py::TestIndexRequests::test_one_for_each_entry",
            "tests/unit/test_decide_lives.py::test_lives",
        ),
    ),
    Break(
        promises=("P4", "F6"),
        what="does not write what is owed together with the event",
        file="pipelinejobs/store/documents.py",
        old='pushes["_outbox"] = {"$each": owed}',
        new="pass",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_in_the_end_it_arrives[answers 500]",),
    ),
    Break(
        promises=("P4", "F7"),
        what="sends a request under a new key at each attempt",
        file="pipelinejobs/outbox.py",
        old="key=leased.key, deadline=seconds",
        new="key=leased.holder, deadline=seconds",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_in_the_end_it_arrives[answers 500]",),
    ),
    Break(
        promises=("P4", "F8"),
        what="gives the same request to two senders",
        file="pipelinejobs/store/outbox.py",
        old='{"id": {"$eq": owed.key}, "next": {"$eq": owed.next}}',
        new='{"id": {"$eq": owed.key}}',
        tests=("tests/integration/test_store_outbox.py::test_a_lease_carries_the_present_token_and_keeps_others_away",),
    ),
    Break(
        promises=("P4", "F8"),
        what="lets a sender whose lease is over take the request away from the next one",
        file="pipelinejobs/store/outbox.py",
        old='mine = {"id": leased.key, "holder": leased.holder}',
        new='mine = {"id": leased.key}',
        tests=("tests/integration/test_store_outbox.py::test_a_holder_that_wakes_up_late_changes_nothing",),
    ),
    Break(
        promises=("P4",),
        what="gives a request up where nobody sees it",
        file="pipelinejobs/store/outbox.py",
        old='fields["_outbox.$.status"] = UNDELIVERED',
        new='fields["_outbox.$.status"] = "forgotten"',
        tests=("tests/acceptance/test_outbox_under_fire.py::test_a_dead_letter_is_seen_everywhere_and_comes_home",),
    ),
    Break(
        promises=("P4", "F9"),
        what="does not give the Indexer the time that it asks for",
        file="pipelinejobs/backoff.py",
        old="return max(doubled * random.uniform(0.5, 1.0), asked or 0.0)",
        new="return doubled * random.uniform(0.5, 1.0)",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_a_receiver_that_asks_for_time_gets_it",),
    ),
    Break(
        promises=("P4", "F9", "S16"),
        what="takes a redirect for a delivery",
        file="pipelinejobs/actors/answer.py",
        old="if 200 <= status <= 299:",
        new="if 200 <= status <= 399:",
        tests=("tests/integration/test_actors.py::test_a_redirect_is_not_followed",),
    ),
    Break(
        promises=("P4", "F12"),
        what="takes its own clock for the database's when it looks what is due",
        file="pipelinejobs/store/connection.py",
        old="    return time\n",
        new="    return datetime.now().astimezone()\n",
        tests=("tests/integration/test_store_clock.py::test_what_is_due_does_not_depend_on_our_clock",),
    ),
)

REPLAY: Final = (
    Break(
        promises=("P5",),
        what="writes onto a job whose state has changed",
        file="pipelinejobs/store/documents.py",
        old='        "state": {"$eq": job.state},\n',
        new="",
        tests=(
            (
                "tests/integration/test_store_jobs.py"
                "::test_a_change_is_written_only_onto_the_job_it_was_decided_on[interference0]"
            ),
        ),
    ),
    Break(
        promises=("P5",),
        what="writes onto a job whose revision has changed",
        file="pipelinejobs/store/documents.py",
        old='        "_properties.revision": {"$eq": job.revision},\n',
        new="",
        tests=(
            (
                "tests/integration/test_store_jobs.py"
                "::test_a_change_is_written_only_onto_the_job_it_was_decided_on[interference1]"
            ),
        ),
    ),
    Break(
        promises=("P5",),
        what="counts one revision where a report made two entries",
        file="pipelinejobs/store/documents.py",
        old='"$inc": {"_properties.revision": len(change.entries)}',
        new='"$inc": {"_properties.revision": 1}',
        tests=("tests/integration/test_manager_lives.py::test_lives",),
    ),
    Break(
        promises=("P5", "P8"),
        what="shows entries twice that a crash has left in both places",
        file="pipelinejobs/store/history.py",
        old='seen.add(row["uuid"])',
        new="pass",
        tests=("tests/integration/test_store_history.py::test_a_crash_between_copy_and_removal_is_no_harm",),
    ),
    Break(
        promises=("P5", "P8"),
        what="cannot go on with a move of history that was broken off",
        file="pipelinejobs/store/history.py",
        old='if any(failed["code"] != _DUPLICATE_KEY for failed in error.details["writeErrors"]):',
        new='if error.details["writeErrors"]:',
        tests=("tests/integration/test_store_history.py::test_a_crash_between_copy_and_removal_is_no_harm",),
    ),
    Break(
        promises=("P5", "S20"),
        what="loses the order of history that has moved",
        file="pipelinejobs/store/history.py",
        old='"seq": start + place,',
        new='"seq": place,',
        tests=("tests/integration/test_history_overflow.py::test_nothing_is_lost",),
    ),
)

NO_SECRET: Final = (
    Break(
        promises=("P6", "S15"),
        what="shows a secret where it is printed",
        file="pipelinejobs/secret.py",
        old='return "<secret>"',
        new="return self._text",
        tests=("tests/unit/test_secret.py::test_it_is_blank_wherever_it_is_printed",),
    ),
    Break(
        promises=("P6", "S15"),
        what="repeats the token in the gateway's answer",
        file="pipelinejobs/gateway/routes/messages.py",
        old='return message | {"token": HIDDEN} if "token" in message else message',
        new="return message",
        tests=("tests/integration/gateway/test_gateway_messages.py::TestForms::test_a_json_event",),
    ),
    Break(
        promises=("P6", "S15"),
        what="does not hide the secrets that it knows from the log",
        file="pipelinejobs/redaction.py",
        old="for secret in _known.spellings:",
        new="for secret in _known.spellings[:0]:",
        tests=("tests/unit/test_log.py::test_known_secrets_are_hidden",),
    ),
    Break(
        promises=("P6", "S15"),
        what="writes the token, and all else of the query, into the log",
        file="pipelinejobs/gateway/deliveries.py",
        old='"user": arrived.user,\n',
        new='"user": arrived.query.decode(),\n',
        tests=("tests/integration/gateway/test_gateway_health.py::TestLogs::test_no_query_and_no_secret",),
    ),
    Break(
        promises=("P6", "S15"),
        what="keeps the token with a refusal",
        file="pipelinejobs/store/refused.py",
        old="_cut(event.data, self.limits.size)",
        new="_cut(event.message, self.limits.size)",
        tests=("tests/acceptance/test_attacks.py::TestLeakage::test_nothing_of_it_is_shown_or_stored",),
    ),
    Break(
        promises=("P6", "S18"),
        what="shows the salt of a job, of which its token is made",
        file="pipelinejobs/views.py",
        old="return name in _HARMLESS",
        new="return True",
        tests=("tests/integration/gateway/test_gateway_jobs.py::TestOne::test_without_anything_secret",),
    ),
)

NO_DEFECT: Final = (
    Break(
        promises=("P7",),
        what="answers a wrong request for a nonce with an error of its own",
        file="pipelinejobs/gateway/routes/nonces.py",
        old="raise Problem(HTTPStatus.BAD_REQUEST, error.reason) from None",
        new="raise Problem(HTTPStatus.INTERNAL_SERVER_ERROR, error.reason) from None",
        tests=(
            (
                "tests/integration/gateway/test_gateway_openapi.py"
                "::test_whatever_is_asked[POST /actors/v2/{actor}/nonces-negative]"
            ),
        ),
    ),
    Break(
        promises=("P7", "S10"),
        what="takes data that are nested deeper than MongoDB can hold",
        file="pipelinejobs/messages/values.py",
        old="if level > DEPTH:",
        new="if level > 100 * DEPTH:",
        tests=("tests/acceptance/test_attacks.py::TestDepthAndSize::test_deep_json_is_malformed",),
    ),
    Break(
        promises=("P7", "S9"),
        what="takes the last of two keys with the same name",
        file="pipelinejobs/messages/text.py",
        old="if len(result) == len(pairs):",
        new="if len(result) <= len(pairs):",
        tests=("tests/acceptance/test_attacks.py::TestNumbersAndText::test_are_malformed",),
    ),
    Break(
        promises=("P7", "S8"),
        what="takes event names in any case",
        file="pipelinejobs/messages/fields.py",
        old="    if meant in EVENTS:\n",
        new="    if meant in EVENTS:\n        return meant\n",
        tests=("tests/acceptance/test_attacks.py::TestNames::test_in_the_body",),
    ),
    Break(
        promises=("P7", "S6"),
        what="takes a token that is no text",
        file="pipelinejobs/messages/json_event.py",
        old='if "token" in body and not isinstance(body["token"], str):',
        new='if "token" in body and body["token"] is None:',
        tests=("tests/acceptance/test_attacks.py::TestTokens::test_what_is_no_text_is_malformed",),
    ),
    Break(
        promises=("S6",),
        what="takes a query's operators for a job's uuid",
        file="pipelinejobs/store/jobs.py",
        old='self._jobs.find_one({"uuid": {"$eq": uuid}})',
        new='self._jobs.find_one({"uuid": uuid})',
        tests=("tests/integration/test_store_operators.py::test_an_operator_is_a_name_that_nothing_has",),
    ),
)

NO_CRASH: Final = (
    Break(
        promises=("P8", "P1"),
        what="takes older history out of the job before it is copied",
        file="pipelinejobs/store/history.py",
        old="        with translated():  # whether it was done does not matter: doing it again is no harm\n",
        new='        gone = {"history": {"uuid": {"$in": [row["uuid"] for row in rows]}}}\n'
        '        self._jobs.update_one({"_id": {"$eq": job.key}}, {"$pull": gone})\n'
        "        with translated():\n",
        tests=(
            (
                "tests/acceptance/test_crash_points.py"
                "::test_killed[update that makes history move, before insert jobs_history 1]"
            ),
        ),
    ),
    Break(
        promises=("P8", "F6"),
        what="leaves to a dead process what that process owed",
        file="pipelinejobs/manager.py",
        old="self._outbox.send_overdue(_OTHERS_ROWS, deadline)",
        new="pass",
        tests=(
            (
                "tests/integration/test_manager.py::TestIndexRequests"
                "::test_what_a_dead_process_owed_is_sent_by_the_next_run_of_any_job"
            ),
        ),
    ),
    Break(
        promises=("P8", "F7"),
        what="looks for what a dead gateway owed only when it owes something itself",
        file="pipelinejobs/gateway/sender.py",
        old="self._wake.wait(self._poll)",
        new="self._wake.wait()",
        tests=(
            (
                "tests/integration/gateway/test_gateway_outbox.py"
                "::test_what_a_dead_gateway_held_is_sent_when_its_lease_is_over"
            ),
        ),
    ),
)

ITS_JOB_ALONE: Final = (
    Break(
        promises=("P9", "S1"),
        what="takes any token for a job's",
        file="pipelinejobs/tokens.py",
        old="known = _any_same(event.token, _job_tokens(job or _NO_JOB))",
        new="known = job is not None",
        tests=(
            "tests/unit/test_decide_lives.py::test_lives",
            "tests/acceptance/test_attacks.py::TestTokens::test_the_token_of_another_job",
        ),
    ),
    Break(
        promises=("P9",),
        what="takes the tokens of a job that was there before under the same uuid",
        file="pipelinejobs/store/documents.py",
        old="ours = {} if former_life else document",
        new="ours = document",
        tests=(
            (
                "tests/acceptance/test_foreign_jobs.py::TestTokensForLife"
                "::test_a_job_made_again_forgets_the_tokens_of_its_former_life"
            ),
        ),
    ),
    Break(
        promises=("P9",),
        what="forgets a job's tokens when a foreign writer changes its salt",
        file="pipelinejobs/tokens.py",
        old="salts = list(job.salts or ())",
        new="salts = list(job.salts or ())[:0]",
        tests=("tests/unit/test_decide_lives.py::test_lives",),
    ),
    Break(
        promises=("P9", "S18"),
        what="lets a job's token reset it",
        file="pipelinejobs/tokens.py",
        old="elif event.name in ADMINISTRATIVE and shown is not Authority.ADMINISTRATIVE:",
        new="elif event.name in ADMINISTRATIVE and shown is Authority.INDEXER:",
        tests=(
            (
                "tests/acceptance/test_foreign_jobs.py::TestAdministrativeTokens"
                "::test_a_job_token_is_too_weak_for_what_is_administrative"
            ),
        ),
    ),
    Break(
        promises=("P9", "S19"),
        what="makes administrative tokens of nothing where no key is set",
        file="pipelinejobs/tokens.py",
        old="    if not (policy.admin_key and policy.admin_secret):\n"
        "        return ()\n"
        "    secret, key, lifetime = policy.admin_secret.reveal(), policy.admin_key.reveal(), policy.admin_lifetime\n",
        new='    secret, key = (one.reveal() if one else "" for one in (policy.admin_secret, policy.admin_key))\n'
        "    lifetime = policy.admin_lifetime\n",
        tests=("tests/unit/test_tokens.py::test_without_both_settings_there_is_no_administrative_token",),
    ),
    Break(
        promises=("S1",),
        what="tells whether there is such a job",
        file="pipelinejobs/manager.py",
        old="reason=refusal or tokens.NO_SUCH_JOB)",
        new='reason="no such job" if job is None else refusal or tokens.NO_SUCH_JOB)',
        tests=(
            (
                "tests/integration/gateway/test_gateway_messages.py::TestVerdicts"
                "::test_a_wrong_token_and_an_unknown_job_look_alike"
            ),
        ),
    ),
    Break(
        promises=("S2",),
        what="compares a token letter by letter",
        file="pipelinejobs/tokens.py",
        old="return hmac.compare_digest(_full_digest(shown), _full_digest(expected))",
        new="return _full_digest(shown) == _full_digest(expected)",
        tests=("tests/unit/test_tokens.py::test_no_source_file_compares_a_secret_with_equals",),
    ),
    Break(
        promises=("S5",),
        what="redeems a nonce more often than it has uses",
        file="pipelinejobs/store/nonces.py",
        old='self._nonces, {"remaining": {"$gt": 0}}, {',
        new="self._nonces, {}, {",
        tests=("tests/integration/test_store_nonces.py::test_as_many_uses_as_were_given_however_many_ask_at_once",),
    ),
    Break(
        promises=("S13",),
        what="believes a caller who says who he is",
        file="pipelinejobs/runtime.py",
        old='username=text("_abaco_username"),',
        new='username=text("username") or text("_abaco_username"),',
        tests=("tests/unit/test_caller.py::test_who_sent_it_is_told_by_abaco_alone",),
    ),
    Break(
        promises=("S13",),
        what="takes settings from a caller over those that are pinned",
        file="pipelinejobs/settings/pins.py",
        old="elif not hmac.compare_digest(wanted, digest(text)):",
        new="elif not wanted:",
        tests=("tests/unit/settings/test_pins.py::test_a_sender_cannot_unset_what_is_pinned",),
    ),
    Break(
        promises=("S23",),
        what="installs whatever the package index has under that name today",
        file="Dockerfile",
        old="RUN pip install --no-cache-dir --require-hashes -r requirements.lock",
        new="RUN pip install --no-cache-dir agavepy -r requirements.lock",
        tests=("tests/acceptance/test_image.py::TestDockerfile::test_installs_what_is_locked_and_nothing_else",),
    ),
    Break(
        promises=("S23",),
        what="lets a caller's variables change how the actor's interpreter starts",
        file="Dockerfile",
        old='CMD ["python", "-Es", "/actor/reactor.py"]',
        new='CMD ["python", "/actor/reactor.py"]',
        tests=("tests/acceptance/test_image.py::TestDockerfile::test_starts_isolated_from_the_callers_variables",),
    ),
    Break(
        promises=("S16",),
        what="sends to the metadata service of a cloud machine",
        file="pipelinejobs/actors/addresses.py",
        old="if any(is_refused(address) for address in addresses):",
        new="if not addresses:",
        tests=("tests/integration/test_actors.py::test_a_name_that_leads_to_a_link_local_address_is_refused",),
    ),
    Break(
        promises=("S22",),
        what="applies an event that comes by GET",
        file="pipelinejobs/gateway/routes/messages.py",
        old='methods=["POST"],',
        new='methods=["POST", "GET"],',
        tests=(
            (
                "tests/integration/gateway/test_gateway_messages.py::TestWhatIsNotRead"
                "::test_nothing_but_post_changes_anything[GET]"
            ),
        ),
    ),
)

TURNED_AWAY: Final = (
    Break(
        promises=("P10",),
        what="lets events wait without end to their number",
        file="pipelinejobs/gateway/groups.py",
        old="if self.inside >= self._most:",
        new="if self.inside < 0:",
        tests=("tests/integration/gateway/test_gateway_overload.py::test_what_there_is_no_room_for_is_put_off",),
    ),
    Break(
        promises=("P10",),
        what="lets questions wait without end to their number",
        file="pipelinejobs/gateway/intake.py",
        old="if self.inside >= self._most:",
        new="if self.inside < 0:",
        tests=("tests/unit/gateway/test_intake.py::test_there_is_an_end_to_what_may_wait",),
    ),
    Break(
        promises=("P10", "F3"),
        what="waits for an answer that does not come",
        file="pipelinejobs/gateway/intake.py",
        old="asyncio.wait_for(asyncio.shield(future), seconds + _GRACE_SECONDS)",
        new="asyncio.shield(future)",
        tests=("tests/unit/gateway/test_intake.py::test_what_does_not_end_is_given_up_but_still_counted",),
    ),
    Break(
        promises=("P10",),
        what="does not say when to try again",
        file="pipelinejobs/gateway/problem.py",
        old='self.headers["Retry-After"] = str(RETRY_SECONDS)',
        new="pass",
        tests=("tests/integration/gateway/test_gateway_overload.py::test_what_there_is_no_room_for_is_put_off",),
    ),
    Break(
        promises=("P10", "F3"),
        what="waits for an event that is not judged in time",
        file="pipelinejobs/gateway/groups.py",
        old="loop.call_later(deadline.remaining() + _GRACE_SECONDS, turn.give_up)",
        new="loop.call_later(3600, turn.give_up)",
        tests=("tests/integration/gateway/test_gateway_overload.py::test_one_that_takes_too_long_is_not_waited_for",),
    ),
    Break(
        promises=("P10", "F16"),
        what="gives large bodies all the memory that they want",
        file="pipelinejobs/gateway/body.py",
        old="if size > self._room:",
        new="if size < 0:",
        tests=(
            (
                "tests/integration/gateway/test_gateway_overload.py"
                "::test_large_bodies_that_never_end_take_no_more_than_they_may"
            ),
        ),
    ),
    Break(
        promises=("P10", "S11"),
        what="reads a body to its end, however long it is",
        file="pipelinejobs/gateway/body.py",
        old="if len(pieces) + len(piece) > MAX_BYTES:",
        new="if len(pieces) < 0:",
        tests=(
            (
                "tests/integration/gateway/test_gateway_messages.py::TestLimits"
                "::test_one_in_chunks_is_read_no_further_than_the_limit"
            ),
        ),
    ),
    Break(
        promises=("S20",),
        what="keeps refusals of one job without end",
        file="pipelinejobs/store/refused.py",
        old="            if surplus:\n",
        new="            if not surplus:\n",
        tests=("tests/integration/test_store_refused.py::test_no_more_than_so_many_for_a_job",),
    ),
)

HANDED_BACK: Final = (
    Break(
        promises=("F20", "S1"),
        what="hands a message without a token back, which then arrives under our name",
        file="pipelinejobs/handback.py",
        old="    if event.token is None:\n",
        new="    if event.job is None:\n",
        tests=("tests/acceptance/test_mongodb_away.py::test_a_message_without_a_token_is_not_sent_under_our_name",),
    ),
    Break(
        promises=("F20",),
        what="hands a message back without end, since it does not count",
        file="pipelinejobs/handback.py",
        old="COUNT: str(before + 1)",
        new="COUNT: str(before)",
        tests=("tests/unit/test_handback.py::test_it_goes_with_its_id_and_one_more",),
    ),
    Break(
        promises=("F20", "P2"),
        what="hands a message back as another event",
        file="pipelinejobs/handback.py",
        old='repeated["x_event_id"] = event_id.as_parameter(event.id)',
        new='repeated["x_event_id"] = event_id.as_parameter(event.id) + "-again"',
        tests=("tests/unit/test_handback.py::test_it_comes_again_as_the_same_event",),
    ),
)

PAGES: Final = (
    Break(
        promises=("S21",),
        what="puts into a page what was sent, as it is",
        file="pipelinejobs/gateway/pages/templates.py",
        old="autoescape=True",
        new="autoescape=False",
        tests=("tests/integration/gateway/test_pages_job.py::test_whatever_was_sent_is_only_text",),
    ),
    Break(
        promises=("P6",),
        what="shows on a page the token that somebody has put into an event's data",
        file="pipelinejobs/gateway/pages/job.py",
        old="told.entries, newest, secrets)",
        new="told.entries, newest, [])",
        tests=("tests/integration/gateway/test_pages_job.py::test_no_secret_is_shown_wherever_somebody_has_put_it",),
    ),
    Break(
        promises=("S24",),
        what="takes a form that a page of somebody else has sent",
        file="pipelinejobs/gateway/pages/visit.py",
        old="    if (site is None and origin is None) or not by_site or not by_origin:\n",
        new="    if site is None and origin is None:\n",
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestForgery::test_it_is_refused",),
    ),
    Break(
        promises=("S24",),
        what="takes the form of another session",
        file="pipelinejobs/gateway/pages/visit.py",
        old='if not same(fields.pop("form", ""), form):',
        new='if fields.pop("form", "") is None:',
        tests=(
            (
                "tests/integration/gateway/test_pages_sign_in.py::TestForgery"
                "::test_the_form_of_another_session_is_refused"
            ),
        ),
    ),
    Break(
        promises=("S24",),
        what="lets other sites send the cookie",
        file="pipelinejobs/gateway/pages/sign_in.py",
        old='"samesite": "strict"',
        new='"samesite": "none"',
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestCookie::test_how_it_is_kept",),
    ),
    Break(
        promises=("S24",),
        what="leads from signing in to wherever an address says",
        file="pipelinejobs/gateway/pages/sign_in.py",
        old="if address is None or not _OWN.fullmatch(address):",
        new="if address is None:",
        tests=(
            (
                "tests/integration/gateway/test_pages_sign_in.py::TestSigningIn"
                "::test_it_leads_back_to_pages_of_its_own_only"
            ),
        ),
    ),
    Break(
        promises=("S25",),
        what="keeps a session that is over",
        file="pipelinejobs/store/sessions.py",
        old=', "$expr": {"$gt": ["$expires", "$$NOW"]}}',
        new="}",
        tests=("tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_with_its_time",),
    ),
    Break(
        promises=("S25",),
        what="shows jobs to somebody whose right to see them was taken",
        file="pipelinejobs/gateway/pages/visit.py",
        old="if caller is None or caller.right < Right.READ:",
        new="if caller is None:",
        tests=(
            "tests/integration/gateway/test_pages_sign_in.py::TestEnd::test_a_right_that_was_taken_is_gone_at_once",
        ),
    ),
    Break(
        promises=("S25", "S18"),
        what="lets somebody send letters again who may only look",
        file="pipelinejobs/gateway/pages/owed.py",
        old="    if not made.visitor.may_resend:\n",
        new="    if not made.visitor.user:\n",
        tests=("tests/integration/gateway/test_pages_owed.py::test_without_the_right_there_is_no_button_and_no_way",),
    ),
)

BREAKS: Final = (
    *DURABLE,
    *ONCE,
    *IN_ANY_ORDER,
    *ONE_INDEX_REQUEST,
    *REPLAY,
    *NO_SECRET,
    *NO_DEFECT,
    *NO_CRASH,
    *ITS_JOB_ALONE,
    *TURNED_AWAY,
    *HANDED_BACK,
    *PAGES,
)
"""All of them."""
