"""`doctor --repair`: finds what can be repaired in one job, and repairs it."""

from pipelinejobs.cli.doctor_findings import Finding, note, ok, output, wrong
from pipelinejobs.cli.output import Output, short
from pipelinejobs.cli.session import Session
from pipelinejobs.core.repair import Plan, Repair
from pipelinejobs.core.repair_plan import plan
from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from pipelinejobs.util.errors import CommandFailed


def repaired(session: Session, uuid: str, *, yes: bool) -> Output:
    """Reports what would be repaired in a job and what is left unchanged; with `yes`, repairs it.

    Raises:
        CommandFailed: there is no such job, several documents have its uuid, or the job has changed meanwhile.
        Unavailable: the database cannot be asked.
    """
    store = session.store
    stored = store.repairs.read(uuid)
    if stored is None:
        raise session.no_job(uuid)
    found = plan(stored.document, stored.moved)
    if yes and not store.repairs.write(stored, found):
        raise CommandFailed(
            f"another program has changed the job {uuid} meanwhile, so nothing was repaired; run the command again"
        )
    findings = _findings(found, done=yes)
    if yes or not found.repairs:
        findings += _present(store, uuid)
    else:
        findings.append(note("job", "nothing was changed; add --yes to repair the job"))
    return output(findings, uuid=uuid, mended=yes)


def _present(store: Store, uuid: str) -> list[Finding]:
    snapshot = take_snapshot(store, uuid)
    if snapshot is None or not snapshot.problems:
        return [ok("job", "history and state agree, and the job accepts events")]
    return [wrong("job", problem) for problem in snapshot.problems]


def _findings(found: Plan, *, done: bool) -> list[Finding]:
    say = ok if done else wrong
    findings = [say(_field(repair), _text(repair, done=done)) for repair in found.repairs]
    if found.owes is not None:
        what = "an index request for its last entry into FINISHED or INDEXING"
        findings.append(say("_outbox", f"{'gets' if done else 'would get'} {what} once more"))
    return findings + [note("left", sentence) for sentence in found.left]


def _field(repair: Repair) -> str:
    return repair.field if repair.moved is None else f"jobs_history {repair.moved} {repair.field}"


def _text(repair: Repair, *, done: bool) -> str:
    return f"{'became' if done else 'would become'} {short(repair.value)}: {repair.why}"
