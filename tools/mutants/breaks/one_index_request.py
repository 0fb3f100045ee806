"""Each entry into FINISHED owes one index request."""

from typing import Final

from tools.mutants.breaks.one import Break

ONE_INDEX_REQUEST: Final = (
    Break(
        promises=("P4",),
        what="owes another index request for finish on a finished job",
        file="pipelinejobs/core/decide.py",
        old="entered = after != job.state",
        new='entered = after != job.state or event.name == "finish"',
        tests=(
            "tests/unit/core/test_decide.py::TestIndexRequests::test_one_for_each_entry",
            "tests/unit/core/test_decide_lives.py::test_lives",
        ),
    ),
    Break(
        promises=("P4", "F6"),
        what="does not write what is owed together with the event",
        file="pipelinejobs/store/job_document.py",
        old='pushes["_outbox"] = {"$each": owed}',
        new="pass",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_in_the_end_it_arrives[answers 500]",),
    ),
    Break(
        promises=("P4", "F7"),
        what="sends a request under a new key at each attempt",
        file="pipelinejobs/service/outbox_relay.py",
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
        tests=(
            "tests/integration/store/test_store_outbox.py::test_a_lease_carries_the_present_token_and_keeps_others_away",
        ),
    ),
    Break(
        promises=("P4", "F8"),
        what="lets a sender whose lease is over take the request away from the next one",
        file="pipelinejobs/store/outbox.py",
        old='mine = {"id": leased.key, "holder": leased.holder}',
        new='mine = {"id": leased.key}',
        tests=("tests/integration/store/test_store_outbox.py::test_a_holder_that_wakes_up_late_changes_nothing",),
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
        file="pipelinejobs/util/backoff.py",
        old="return max(doubled * random.uniform(0.5, 1.0), asked or 0.0)",
        new="return doubled * random.uniform(0.5, 1.0)",
        tests=("tests/acceptance/test_outbox_under_fire.py::test_a_receiver_that_asks_for_time_gets_it",),
    ),
    Break(
        promises=("P4", "F9", "S16"),
        what="takes a redirect for a delivery",
        file="pipelinejobs/util/http_response.py",
        old="if 200 <= status <= 299:",
        new="if 200 <= status <= 399:",
        tests=("tests/integration/actors/test_actors.py::test_a_redirect_is_not_followed",),
    ),
    Break(
        promises=("P4", "F12"),
        what="takes its own clock for the database's when it looks what is due",
        file="pipelinejobs/store/connection.py",
        old="    return time\n",
        new="    return datetime.now().astimezone()\n",
        tests=("tests/integration/store/test_store_clock.py::test_what_is_due_does_not_depend_on_our_clock",),
    ),
)
