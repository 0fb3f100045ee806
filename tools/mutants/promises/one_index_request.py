"""Each entry into FINISHED owes one index request."""

from typing import Final

from tools.mutants.mutant import Mutant

ONE_INDEX_REQUEST: Final = (
    Mutant(
        promises=("P4",),
        what="makes another index request for a finish of a finished job",
        where="pipelinejobs/core/decide.py:_owes_index",
        old="after != job.state",
        new='after != job.state or event.name == "finish"',
        tests=(
            "tests/unit/core/test_decide.py::TestIndexRequests::test_one_for_each_entry",
            "tests/unit/core/test_decide_lives.py::test_lives",
        ),
    ),
    Mutant(
        promises=("P4", "F6"),
        what="does not write the outbox message together with the event",
        where="pipelinejobs/store/job_update.py:update",
        old='pushes["_outbox"] = {"$each": messages}',
        new="pass",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_in_the_end_it_arrives[answers 500]",),
    ),
    Mutant(
        promises=("P4", "F7"),
        what="sends an outbox message under a new key at each attempt",
        where="pipelinejobs/service/outbox_relay.py:OutboxRelay._tell_indexer",
        old="leased.key",
        new="leased.holder",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_in_the_end_it_arrives[answers 500]",),
    ),
    Mutant(
        promises=("P4", "F8"),
        what="leases the same outbox message to two processes",
        where="pipelinejobs/store/outbox.py:OutboxRows.lease",
        old='{"id": {"$eq": message.key}, "next": {"$eq": message.next}}',
        new='{"id": {"$eq": message.key}}',
        tests=(
            "tests/integration/store/test_store_outbox.py::test_a_lease_carries_the_present_token_and_keeps_others_away",
        ),
    ),
    Mutant(
        promises=("P4", "F8"),
        what="lets a process whose lease is over remove the outbox message of the next holder",
        where="pipelinejobs/store/outbox.py:OutboxRows.delivered",
        old='{"id": leased.key, "holder": leased.holder}',
        new='{"id": leased.key}',
        tests=("tests/integration/store/test_store_outbox.py::test_a_holder_that_wakes_up_late_changes_nothing",),
    ),
    Mutant(
        promises=("P4",),
        what="stores a failed outbox message under a status that no view shows",
        where="pipelinejobs/store/outbox.py:OutboxRows.failed",
        old="FAILED",
        new='"forgotten"',
        tests=("tests/acceptance/test_outbox_under_fire.py::test_a_dead_letter_is_seen_everywhere_and_comes_home",),
    ),
    Mutant(
        promises=("P4", "F9"),
        what="ignores how long the Indexer asks to wait (Retry-After)",
        where="pipelinejobs/util/backoff.py:Backoff.delay",
        old="max(self.pause(attempts), asked or 0.0)",
        new="self.pause(attempts)",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_a_receiver_that_asks_for_time_gets_it",),
    ),
    Mutant(
        promises=("P4", "F9", "S16"),
        what="treats a redirect as a delivery",
        where="pipelinejobs/util/http_client.py:check",
        old="299",
        new="399",
        tests=("tests/integration/actors/test_actors.py::test_a_redirect_is_not_followed",),
    ),
    Mutant(
        promises=("P4", "F12"),
        what="uses its own clock, not the database's, to find the messages that are due",
        where="pipelinejobs/store/connection.py:database_time",
        old="time",
        new="datetime.now().astimezone()",
        tests=("tests/integration/store/test_store_clock.py::test_what_is_due_does_not_depend_on_our_clock",),
    ),
)
