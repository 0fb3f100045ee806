"""The check of `doctor` whether job systems are asked about quiet jobs, and what became of it."""

from collections.abc import Iterator

from pipelinejobs.bootstrap import Services, reconciler
from pipelinejobs.cli.doctor_findings import Finding, note, ok
from pipelinejobs.cli.output import when
from pipelinejobs.service.reconcile import Result
from pipelinejobs.store.asked import Round
from pipelinejobs.util.plural import counted


def of_job_systems(services: Services) -> Iterator[Finding]:
    """Whether a server is configured, when it was asked in the last round, and which questions led to nothing."""
    asking = reconciler(services)
    if asking is None:
        servers = "reconcile.agave_server and reconcile.tapis_server are not set"
        yield note("reconcile", f"no job system is asked about quiet jobs: {servers}")
        return
    rounds = {each.system: each for each in services.store.asked.rounds()}
    for server in asking.servers:
        yield _of_round(server, rounds.get(server))
    unresolved = services.store.asked.unresolved((Result.UNKNOWN.value, Result.UNANSWERED.value))
    for result, count in unresolved.items():
        if count:
            text = f"{counted(count, 'open job')}: {result} when the job system was last asked; explain UUID says why"
            yield note("reconcile", text)


def _of_round(server: str, last: Round | None) -> Finding:
    if last is None or last.ended is None:
        begun = "no gateway has asked yet" if last is None else f"the first round began at {when(last.began)} UTC"
        return note("reconcile", f"{server}: {begun}")
    counts = ", ".join(f"{count} {result}" for result, count in sorted(last.counts.items())) or "no quiet job"
    text = f"{server}: the last round ended at {when(last.ended)} UTC ({counts})"
    if last.behind is not None:
        return note("reconcile", f"{text}; it was cut short, because the server could not be asked any more")
    return ok("reconcile", text)
