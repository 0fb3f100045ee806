"""A message that could not be handled is requeued."""

from typing import Final

from tools.mutants.mutant import Mutant

REQUEUED: Final = (
    Mutant(
        promises=("F20", "S1"),
        what="requeues a message without a token, which then arrives under our own name",
        where="pipelinejobs/service/requeue.py:obstacle",
        old="not event.tokens",
        new="event.job is None",
        tests=("tests/acceptance/test_mongodb_away.py::test_a_message_without_a_token_is_not_sent_under_our_name",),
    ),
    Mutant(
        promises=("F20",),
        what="requeues a message without end, because it does not count",
        where="pipelinejobs/service/requeue.py:Requeue.send",
        old="str(before + 1)",
        new="str(before)",
        tests=("tests/unit/service/test_requeue.py::test_it_goes_with_its_id_and_one_more",),
    ),
    Mutant(
        promises=("F20", "P2"),
        what="requeues a message as another event",
        where="pipelinejobs/service/requeue.py:again",
        old="event_id.as_parameter(event.id)",
        new='event_id.as_parameter(event.id) + "-again"',
        tests=("tests/unit/service/test_requeue.py::test_it_comes_again_as_the_same_event",),
    ),
)
