"""A message that could not be handled comes again."""

from typing import Final

from tools.mutants.breaks.one import Break

HANDED_BACK: Final = (
    Break(
        promises=("F20", "S1"),
        what="hands a message without a token back, which then arrives under our name",
        file="pipelinejobs/service/requeue.py",
        old="    if not event.tokens:\n",
        new="    if event.job is None:\n",
        tests=("tests/acceptance/test_mongodb_away.py::test_a_message_without_a_token_is_not_sent_under_our_name",),
    ),
    Break(
        promises=("F20",),
        what="hands a message back without end, since it does not count",
        file="pipelinejobs/service/requeue.py",
        old="COUNT: str(before + 1)",
        new="COUNT: str(before)",
        tests=("tests/unit/service/test_requeue.py::test_it_goes_with_its_id_and_one_more",),
    ),
    Break(
        promises=("F20", "P2"),
        what="hands a message back as another event",
        file="pipelinejobs/service/requeue.py",
        old='repeated["x_event_id"] = event_id.as_parameter(event.id)',
        new='repeated["x_event_id"] = event_id.as_parameter(event.id) + "-again"',
        tests=("tests/unit/service/test_requeue.py::test_it_comes_again_as_the_same_event",),
    ),
)
