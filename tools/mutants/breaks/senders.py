"""The senders' client loses nothing and tells nobody its secrets."""

from typing import Final

from tools.mutants.breaks.one import Break

SENDERS: Final = (
    Break(
        promises=("P1",),
        what="throws away an event that waits, since nobody could be reached",
        file="pipelinejobs/client.py",
        old="        away[event.host] = error\n        raise\n",
        new="        away[event.host] = error\n        spool.remove(name)\n        raise\n",
        tests=("tests/unit/client/test_client_spool.py::TestAnEvent::test_that_nobody_takes_waits",),
    ),
    Break(
        promises=("P1",),
        what="takes for a refusal that somebody asks to come again",
        file="pipelinejobs/client.py",
        old="_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))",
        new="_AGAIN = frozenset((408, 425, 429, 500, 502, 504))",
        tests=("tests/unit/client/test_client_delivery.py::TestTryingAgain::test_ends_when_somebody_answers",),
    ),
    Break(
        promises=("P1", "P8"),
        what="sends events of a job before the one that could not be delivered",
        file="pipelinejobs/client.py",
        old="            if job in away:\n",
        new="            if name in away:\n",
        tests=("tests/unit/client/test_client_spool.py::TestAFileThatCannotBeHandled::test_stops_its_own_job_alone",),
    ),
    Break(
        promises=("P2",),
        what="gives an event another id each time that it is sent",
        file="pipelinejobs/client.py",
        old='"Idempotency-Key": event.id,',
        new='"Idempotency-Key": event.id + os.urandom(4).hex(),',
        tests=("tests/unit/client/test_client_delivery.py::TestTryingAgain::test_ends_when_somebody_answers",),
    ),
    Break(
        promises=("P6",),
        what="shows the token that an answer repeats",
        file="pipelinejobs/client.py",
        old='shown = shown.replace(secret, "***")',
        new="shown = shown.replace(secret, secret)",
        tests=("tests/unit/client/test_client_delivery.py::TestARefusal::test_shows_no_secret",),
    ),
    Break(
        promises=("P6",),
        what="lets others read the tokens in the spool",
        file="pipelinejobs/client.py",
        old="os.O_EXCL, 0o600)",
        new="os.O_EXCL, 0o644)",
        tests=("tests/unit/client/test_client_spool.py::TestRoom::test_it_is_nobody_elses",),
    ),
    Break(
        promises=("S16", "P6"),
        what="takes the token to wherever a redirect leads",
        file="pipelinejobs/client.py",
        old="[_NoRedirect(), urllib",
        new="[urllib",
        tests=("tests/unit/client/test_client_delivery.py::TestTheWay::test_a_redirect_is_not_followed",),
    ),
    Break(
        promises=("P10",),
        what="waits for an answer that drips for ever",
        file="pipelinejobs/client.py",
        old="result, error = done.get(timeout=seconds)",
        new="result, error = done.get()",
        tests=("tests/unit/client/test_client_delivery.py::TestTryingAgain::test_an_answer_that_drips_is_none",),
    ),
)
