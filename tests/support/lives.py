"""Jobs that live through whatever may happen, in any order: one machine for the pure decision and for the real manager.

Hypothesis chooses what happens next; after every step the promises are looked at. What is under test stands behind
`World`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from fsm.lifecycle import EVENTS
from fsm.replay import final_state, walk
from pipelinejobs.core.tokens import Policy, admin_token
from pipelinejobs.messages import asked
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.external import External
from pipelinejobs.util.secret import Secret

BEGINNING: Final = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
POLICY: Final = Policy(admin_key=Secret("key"), admin_secret=Secret("secret"), admin_lifetime=3600)
JOBS: Final = 2
ROTATIONS: Final = 7
"""Fewer than the salts that are remembered: then every token that was ever good stays good."""

REPORTS: Final = {
    "QUEUED": "resource",
    "RUNNING": "run",
    "HEARTBEAT": "update",
    "FINISHED": "finish",
    "FAILED": "fail",
}
_COMMANDS: Final = sorted(set(EVENTS) - {"create", "reset", "ready"})


class Crash(BaseException):
    """The process is gone. Nothing in the product may catch it."""


class World(Protocol):
    """The implementation under test."""

    def deliver(self, event: Event, now: datetime, crash: str | None = None) -> str:
        """Delivers an event.

        Args:
            crash: `before` or `after` the write; where nothing is written there is no crash.

        Returns:
            The verdict.

        Raises:
            Crash: as asked.
        """

    def ask(self, event: Event, now: datetime) -> str:
        """Judges a report that was asked for; returns the verdict."""

    def tokens(self, job: int) -> list[str]:
        """The tokens that the job's present and former salts make, the present one last."""

    def uuid(self, job: int) -> str:
        """The job's uuid."""

    def rotate(self, job: int) -> None:
        """A foreign writer changes the job's salt."""

    def restart(self) -> None:
        """The process is another one."""

    def look(self, job: int) -> "Look":
        """The job as it is stored."""


class Look:
    """A stored job.

    Attributes:
        names, uuids: of its history, oldest first, wherever it is kept.
        intents: keys of the index requests that it ever came to owe.
    """

    def __init__(self, state: str, revision: int, names: list[str], uuids: list[str], intents: list[str]) -> None:
        self.state = state
        self.revision = revision
        self.names = names
        self.uuids = uuids
        self.intents = intents

    def facts(self) -> tuple[Any, ...]:
        """For comparison."""
        return (self.state, self.revision, tuple(self.names), tuple(self.uuids), tuple(self.intents))


class Lives(RuleBasedStateMachine):
    """The Hypothesis state machine. A subclass chooses the implementation under test."""

    events = Bundle("events")
    queued = Bundle("queued")

    def make_world(self) -> World:
        """The world of one run, empty but for its jobs."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.world = self.make_world()
        self.now = BEGINNING
        self.number = 0
        self.applied: dict[tuple[str, str], int] = {}
        self.rotations = [0] * JOBS
        self.written = [False] * JOBS

    @rule(target=events, job=st.integers(0, JOBS - 1), name=st.sampled_from(_COMMANDS), data=st.integers(0, 2))
    def command(self, job: int, name: str, data: int) -> Event:
        event = self._event(job, name, Kind.COMMAND, data={"n": data} if data else None)
        self._deliver(job, event)
        return event

    @rule(target=events, job=st.integers(0, JOBS - 1), name=st.sampled_from(["reset", "ready"]))
    def administer(self, job: int, name: str) -> Event:
        event = self._event(job, name, Kind.COMMAND)
        self._deliver(job, event)
        return event

    @rule(target=events, job=st.integers(0, JOBS - 1), status=st.sampled_from(sorted(REPORTS)), run=st.integers(1, 3))
    def report(self, job: int, status: str, run: int) -> Event:
        event = self._report(job, status, run)
        self._deliver(job, event)
        return event

    @rule(target=queued, job=st.integers(0, JOBS - 1), status=st.sampled_from(sorted(REPORTS)), run=st.integers(1, 3))
    def send_on_a_slow_way(self, job: int, status: str, run: int) -> Event:
        return self._report(job, status, run)

    @rule(target=events, event=consumes(queued))
    def arrive_late(self, event: Event) -> Event:
        self._deliver(self._job_of(event), event)
        return event

    @rule(job=st.integers(0, JOBS - 1), status=st.sampled_from(sorted(REPORTS)), run=st.integers(1, 3))
    def ask_the_job_system(self, job: int, status: str, run: int) -> None:
        """The answer is applied if it is news; the callback that says the same and comes later is then a duplicate."""
        event = asked.report(self.world.uuid(job), External("agave", str(run)), status, {}, self.now)
        before = self.world.look(job)
        verdict = self.world.ask(event, self.now)
        after = self.world.look(job)
        if verdict == "applied":
            assert after.state != before.state
            self.applied[self._key(event)] = len(after.names) - len(before.names)
            self.applied.setdefault((event.job, _report_id(status, run)), 0)
            self.written[job] = True
        else:
            assert verdict in ("stale", "duplicate"), verdict
            assert after.facts() == before.facts()

    @rule(event=events)
    def repeat(self, event: Event) -> None:
        before = [self.world.look(job).facts() for job in range(JOBS)]
        verdict = self.world.deliver(self._signed(event), self.now)
        if self._key(event) in self.applied:
            assert verdict == "duplicate", (verdict, event)
            assert [self.world.look(job).facts() for job in range(JOBS)] == before
        else:
            self._note(event, verdict)

    @rule(
        target=events,
        job=st.integers(0, JOBS - 1),
        name=st.sampled_from(["run", "finish", "update", "index", "reset"]),
        when=st.sampled_from(["before", "after"]),
    )
    def die(self, job: int, name: str, when: str) -> Any:
        """The process dies at the write; another one starts, and the sender, who got no answer, sends again."""
        event = self._event(job, name, Kind.COMMAND)
        before = self.world.look(job)
        try:
            verdict = self.world.deliver(event, self.now, crash=when)
        except Crash:
            self.world.restart()
            changed = self.world.look(job).facts() != before.facts()
            assert changed == (when == "after")
            verdict = self.world.deliver(self._signed(event), self.now)
            assert verdict == ("duplicate" if changed else "applied")
            self._note(event, "applied")
        else:
            self._note(event, verdict)
        return multiple(event)

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule(seconds=st.sampled_from([1, 60, 7200, -1, -7200, 0, 10**7]))
    def turn_the_clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(job=st.integers(0, JOBS - 1))
    def a_foreign_writer_rotates_the_salt(self, job: int) -> None:
        if self.written[job] and self.rotations[job] < ROTATIONS:
            self.rotations[job] += 1
            self.world.rotate(job)
            # The salt is remembered with our next write, which has to come before the next rotation.
            self._deliver(job, self._event(job, "reset", Kind.COMMAND))

    @rule(event=events, kind=st.sampled_from(["none", "nonsense", "another's"]))
    def someone_without_the_token(self, event: Event, kind: str) -> None:
        job = self._job_of(event)
        before = [self.world.look(one).facts() for one in range(JOBS)]
        shown = {"none": None, "nonsense": "0" * 16, "another's": self.world.tokens(1 - job)[-1]}[kind]
        self.number += 1
        forged = event._replace(id=f"sender:forged-{self.number}", tokens=(Secret(shown),) if shown else ())
        assert self.world.deliver(forged, self.now) == "unauthorised"
        assert [self.world.look(one).facts() for one in range(JOBS)] == before

    @invariant()
    def the_state_is_what_the_history_leads_to(self) -> None:
        for job in range(JOBS):
            look = self.world.look(job)
            assert look.names[0] == "create"
            assert final_state(look.names) == look.state
            assert look.revision == len(look.names) - 1
            assert len(set(look.uuids)) == len(look.uuids)

    @invariant()
    def each_entry_into_finished_or_indexing_owes_one_request(self) -> None:
        for job in range(JOBS):
            look = self.world.look(job)
            entered = [
                step for step in walk(look.names) if step.event in ("finish", "index") and step.before != step.after
            ]
            assert len(look.intents) == len(entered) == len(set(look.intents))

    @invariant()
    def what_was_applied_is_there(self) -> None:
        for job in range(JOBS):
            uuid = self.world.uuid(job)
            known = sum(entries for (one, _), entries in self.applied.items() if one == uuid)
            assert known == len(self.world.look(job).names) - 1

    def _deliver(self, job: int, event: Event) -> None:
        before = len(self.world.look(job).names)
        verdict = self.world.deliver(event, self.now)
        if self._key(event) in self.applied:
            assert verdict == "duplicate", (verdict, event)
        else:
            self._note(event, verdict, len(self.world.look(job).names) - before)

    def _note(self, event: Event, verdict: str, entries: int | None = None) -> None:
        if event.kind is Kind.REPORT:
            assert verdict in ("applied", "stale", "duplicate"), (verdict, event)
        else:
            assert verdict in ("applied", "illegal"), (verdict, event)
        if verdict == "applied":
            known = sum(count for (one, _), count in self.applied.items() if one == event.job)
            added = len(self.world.look(self._job_of(event)).names) - 1 - known
            assert added in (1, 2) if event.kind is Kind.REPORT else added == 1
            assert entries in (None, added)
            self.applied[self._key(event)] = added
            self.written[self._job_of(event)] = True

    def _event(self, job: int, name: str, kind: Kind, **more: Any) -> Event:
        self.number += 1
        fields: dict[str, Any] = {"id": f"sender:{self.number}", "sender": "jdoe", **more}
        return self._signed(Event(job=self.world.uuid(job), name=name, kind=kind, **fields))

    def _report(self, job: int, status: str, run: int) -> Event:
        data = {"status": status, "id": run}
        return self._event(
            job,
            REPORTS[status],
            Kind.REPORT,
            id=_report_id(status, run),
            external=f"agave:{run}",
            data=data,
            status=status,
        )

    def _signed(self, event: Event) -> Event:
        if event.name in ("reset", "ready"):
            return event._replace(tokens=(Secret(admin_token("secret", "key", 3600, self.now.timestamp())),))
        tokens = self.world.tokens(self._job_of(event))
        return event._replace(tokens=(Secret(tokens[self.number % len(tokens)]),))

    def _job_of(self, event: Event) -> int:
        return next(job for job in range(JOBS) if self.world.uuid(job) == event.job)

    def _key(self, event: Event) -> tuple[str, str]:
        # The same report after a reset is of the old attempt, or of the new one where it had not come before.
        return (event.job, event.id)


def _report_id(status: str, run: int) -> str:
    return f"sha256:{status}-{run}"
