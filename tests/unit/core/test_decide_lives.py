"""The pure decision, driven through thousands of steps of jobs' lives; the store is a dictionary."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from pipelinejobs.core import identity, tokens
from pipelinejobs.core.decide import asked_in_vain, decide
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.core.tokens import job_token
from pipelinejobs.messages.event import Event
from support.factories import ADMIN, a_job
from support.lives import BEGINNING, JOBS, POLICY, Crash, Lives, Look
from support.selection import examples


class Memory:
    """Jobs that are kept in memory, changed as the store changes them."""

    def __init__(self) -> None:
        self._salts: list[list[str]] = [[f"salt-{job}"] for job in range(JOBS)]
        self._jobs: list[Job] = []
        self._entries: list[list[Entry]] = []
        self._intents: list[list[str]] = [[] for _ in range(JOBS)]
        for job in range(JOBS):
            life = f"108e1d5c-0000-5000-8000-00000000000{job}"
            uuid = f"107b93f3-1eae-5e79-8a18-0a480f8aa3a{job}"
            self._jobs.append(a_job(uuid=uuid, life=life, attempt=life, salt=self._salts[job][0]))
            self._entries.append([Entry(uuid=life, name="create", data={}, date=BEGINNING)])

    def deliver(self, event: Event, now: datetime, crash: str | None = None) -> str:
        number = next(number for number, job in enumerate(self._jobs) if job.uuid == event.job)
        job = self._jobs[number]
        authority = tokens.authority(job, event, POLICY, now.timestamp())
        if tokens.refusal(authority, event):
            return "unauthorised"
        known = identity.entry_uuids(job, event)
        seen = next((entry for entry in self._entries[number] if entry.uuid in known), None)
        decision = decide(job, event, authority, now, seen)
        assert decision == _without_time(decide(job, event, authority, BEGINNING, seen), decision)
        if decision.change is not None:
            if crash == "before":
                raise Crash
            self._apply(number, decision.change)
            if crash == "after":
                raise Crash
        return decision.verdict.value

    def ask(self, event: Event, now: datetime) -> str:
        number = next(number for number, job in enumerate(self._jobs) if job.uuid == event.job)
        job = self._jobs[number]
        uuid = identity.entry_uuid(job, event)
        seen = next((entry for entry in self._entries[number] if entry.uuid == uuid), None)
        decision = asked_in_vain(decide(job, event, tokens.Authority.JOB, now, seen), event)
        if decision.change is not None:
            self._apply(number, decision.change)
        return decision.verdict.value

    def _apply(self, number: int, change: Any) -> None:
        job = self._jobs[number]
        externals = dict(job.externals)
        if change.external is not None:
            externals[identity.external_digest(change.external)] = job.attempt
        assert not {entry.uuid for entry in self._entries[number]} & set(change.absent)
        self._entries[number] += change.entries
        if change.owes_index:
            self._intents[number].append(change.entries[-1].uuid)
        self._jobs[number] = job._replace(
            state=change.state,
            last_event=change.entries[-1].name,
            revision=job.revision + len(change.entries),
            attempt=change.attempt,
            tokens=change.tokens,
            trusted=change.trusted,
            externals=externals,
        )

    def tokens(self, job: int) -> list[str]:
        return [job_token(self._jobs[job].uuid, salt, ADMIN) for salt in self._salts[job]]

    def uuid(self, job: int) -> str:
        return self._jobs[job].uuid

    def rotate(self, job: int) -> None:
        self._salts[job].append(f"salt-{job}-{len(self._salts[job])}")
        self._jobs[job] = self._jobs[job]._replace(salt=self._salts[job][-1])

    def restart(self) -> None:
        """Nothing is kept but what is stored."""

    def look(self, job: int) -> Look:
        entries = self._entries[job]
        stored = self._jobs[job]
        return Look(
            stored.state,
            int(stored.revision),
            [entry.name for entry in entries],
            [entry.uuid for entry in entries],
            list(self._intents[job]),
        )


def _without_time(decision: Any, like: Any) -> Any:
    """A decision that was made at another time, with the dates of this one: nothing else may differ."""
    if decision.change is None:
        return decision
    pairs = zip(decision.change.entries, like.change.entries, strict=True)
    dated = tuple(entry._replace(date=other.date) for entry, other in pairs)
    return decision._replace(change=decision.change._replace(entries=dated))


class InMemory(Lives):
    def make_world(self) -> Memory:
        return Memory()


@pytest.mark.hypothesis
@pytest.mark.promise("F12")
@pytest.mark.promise("P2")
@pytest.mark.promise("P4")
@pytest.mark.promise("P5")
@pytest.mark.promise("P9")
def test_lives() -> None:
    run_state_machine_as_test(
        InMemory, settings=settings(max_examples=examples(2000, 150), stateful_step_count=50, derandomize=True)
    )
