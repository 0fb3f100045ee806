"""Ask the job systems about jobs from which no report came for long, and apply the reports that were lost.

Without a UUID, it asks about all open jobs (CREATED, RUNNING) that had no event for --quiet-for, except jobs that
python-datacatalog has marked as deleted. With UUIDs, it asks about these jobs; with --quiet-for as well, about those of
them that are open and quiet. It prints one result for each job:

  known            the job system says nothing that would change the job
  missed           a report was lost; it is applied now
  unknown          the job system does not know the job, or does not show it to the configured credential
  unanswered       the job system did not answer; ask again later
  not known where  it is not known which external job this is, or it cannot be asked for (no server of its job system
                   is configured, or its id cannot be one of that system)

Only a status that the job system names can change a job. The exit code is 75 if a job is unanswered, or the
database could not be reached.

  python -m pipelinejobs reconcile --quiet-for 6h --dry-run
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from pipelinejobs.bootstrap import reconciler
from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, table
from pipelinejobs.cli.session import Session
from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from pipelinejobs.service.reconcile import Reconciled, Reconciler, Result
from pipelinejobs.store.quiet_jobs import QuietJob
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable, WrongSetting
from pipelinejobs.util.plural import counted, noun


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("uuids", nargs="*", type=inputs.uuid, metavar="UUID", help="only these jobs")
    parser.add_argument(
        "--quiet-for",
        type=inputs.duration,
        metavar="TIME",
        help="only open jobs that had no event for this long, such as 90m, 6h or 2d "
        "(default without UUID: reconcile.after)",
    )
    parser.add_argument("--dry-run", action="store_true", help="ask, but write nothing")


def run(options: argparse.Namespace, session: Session) -> Output:
    """Asks about the jobs.

    Raises:
        WrongSetting: no server of a job system is configured.
        CommandFailed: there is no such job.
    """
    asking = reconciler(session.services)
    if asking is None:
        problem = "is not set, and neither is reconcile.tapis_server, so there is no job system to ask"
        raise WrongSetting("reconcile.agave_server", problem)
    done: list[Reconciled] = []
    trouble = None
    try:
        _ask(asking, options, session, done)
    except Unavailable as error:
        if not done:
            raise
        trouble = error.reason
    return _output(done, trouble, dry_run=options.dry_run)


def _ask(asking: Reconciler, options: argparse.Namespace, session: Session, done: list[Reconciled]) -> None:
    whole, jobs = _jobs(options, session)
    with session.progress.follow("Asking the job systems", whole, noun(whole, "job")) as tell:
        counts: Counter[str] = Counter()
        for one in asking.all_at_once(jobs, dry_run=options.dry_run):
            done.append(one)
            counts[one.result.value] += 1
            tell(len(done), {result: str(count) for result, count in counts.items()})
            if one.outcome is not None:
                session.services.manager.settle(one.outcome, Deadline(session.settings.limits.one_shot))


def _jobs(options: argparse.Namespace, session: Session) -> tuple[int, Callable[[], Iterable[QuietJob]]]:
    """How many jobs are to be asked about, and a function that lists them."""
    quiet = session.store.quiet_jobs
    if options.uuids:
        since = quiet.cutoff(options.quiet_for) if options.quiet_for is not None else None
        named = quiet.these(options.uuids, None)
        missing = [uuid for uuid in options.uuids if uuid not in {job.uuid for job in named}]
        if missing:
            raise session.no_job(missing[0])
        these = named if since is None else quiet.these(options.uuids, since)
        return len(these), lambda: these
    quiet_for = session.settings.reconcile.after if options.quiet_for is None else options.quiet_for
    cutoff = quiet.cutoff(quiet_for)
    return quiet.count(cutoff), lambda: quiet.all(cutoff)


def _output(done: list[Reconciled], trouble: str | None, *, dry_run: bool) -> Output:
    counts = {result.value: sum(one.result is result for one in done) for result in Result}
    header = ("uuid", "result", "state", "job system", "status", "reason")
    rows = [(one.job, one.result.value, one.state, _where(one), one.status or "", one.reason) for one in done]
    summary = ", ".join(f"{count} {result}" for result, count in counts.items())
    lines = [*(table(header, rows) if rows else []), f"{counted(len(done), 'job')}: {summary}"]
    if dry_run:
        lines.append("dry run: nothing was written")
    if trouble is not None:
        lines.append(f"ended early: {trouble}")
    return Output(
        data={"jobs": [_facts(one) for one in done], "counts": counts, "dry_run": dry_run, "ended_early": trouble},
        lines=lines,
        exit_code=EXIT_CODES[Verdict.UNAVAILABLE] if trouble is not None or counts[Result.UNANSWERED.value] else 0,
    )


def _facts(one: Reconciled) -> dict[str, Any]:
    return {
        "uuid": one.job,
        "result": one.result.value,
        "state": one.state,
        "system": one.system,
        "external": one.external,
        "status": one.status,
        "reason": one.reason,
    }


def _where(one: Reconciled) -> str:
    return f"{one.system} {one.external}" if one.system is not None else ""
