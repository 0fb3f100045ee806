"""What is decided anew about an event that was undone."""

import pytest

from pipelinejobs.core.decide import Decision
from pipelinejobs.core.identity import external_digest
from pipelinejobs.core.job import Job, Trusted
from pipelinejobs.core.journaled import Journaled, as_it_was, owing
from pipelinejobs.core.tokens import token_hash
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from support.factories import LIFE, TOKEN, UUID, a_command, a_job, a_report

MINE = Trusted("jdoe", token_hash(UUID, TOKEN), LIFE)


def journaled(event: Event, **changes: object) -> Journaled:
    made = Journaled(event, LIFE, LIFE, "108-entry", "e", 1, True, ("first",), None)
    return made._replace(**changes)  # type: ignore[arg-type]  # one place for all fields


@pytest.mark.promise("P11")
@pytest.mark.parametrize("job", [None, a_job("RUNNING", life="108-another")], ids=["gone", "made again"])
def test_nothing_is_known_of_a_job_in_another_life(job: Job | None) -> None:
    assert as_it_was(job, journaled(a_command("finish"))) is None


def test_what_was_remembered_with_it_is_known_again() -> None:
    job = as_it_was(a_job("RUNNING", tokens=("newest",)), journaled(a_command("finish"), trusted=(MINE,)))
    assert job is not None
    assert (job.tokens, job.trusted) == (("first", "newest"), (MINE,))


def test_a_report_stays_bound_to_the_attempt_of_its_first_application() -> None:
    event = a_report("finish", "FINISHED")
    assert event.external is not None
    again = as_it_was(a_job("RUNNING", attempt="108-second"), journaled(event))
    assert again is not None
    assert again.externals == {external_digest(event.external): LIFE}


def test_a_refusal_says_what_it_means() -> None:
    decision = owing(
        Decision(Verdict.ILLEGAL, "finish is not allowed"), a_job("FAILED"), journaled(a_command("finish"))
    )
    assert decision.reason.startswith("finish was applied, and undone by another program")
    assert decision.reason.endswith("finish is not allowed")
