"""`doctor --repair`: what can be mended of one job, and the mending of it."""

from pipelinejobs.cli.doctor_findings import Finding, note, ok, wrong
from pipelinejobs.cli.output import Report, short
from pipelinejobs.cli.session import Session
from pipelinejobs.core.repair import Plan, Repair, plan
from pipelinejobs.diagnose.snapshot import steady
from pipelinejobs.util.errors import CommandFailed


def repaired(session: Session, uuid: str, *, yes: bool) -> Report:
    """Says what would be mended and what is left; with `yes` it is mended.

    Raises:
        CommandFailed: there is no such job, more than one document has its uuid, or it has changed meanwhile.
        Unavailable: the database cannot be asked.
    """
    store = session.store
    stored = store.repairs.read(uuid)
    if stored is None:
        raise session.no_job(uuid)
    found = plan(stored.document, stored.moved)
    if yes and not store.repairs.write(stored, found):
        raise CommandFailed(f"the job {uuid} has changed meanwhile, and nothing was mended; run the command again")
    findings = _findings(found, done=yes)
    if yes or not found.repairs:
        read = steady(store, uuid)
        problems = read.problems if read is not None else []
        findings += [wrong("job", problem) for problem in problems]
        findings += [] if problems else [ok("job", "history and state agree, and it takes events")]
    else:
        findings.append(note("job", "nothing was changed; with --yes it is mended"))
    count = sum(finding.level == "wrong" for finding in findings)
    return Report(
        data={"uuid": uuid, "mended": yes, "wrong": count, "findings": [finding._asdict() for finding in findings]},
        lines=[f"{finding.level:5}  {finding.what}: {finding.text}" for finding in findings],
        exit_code=1 if count else 0,
    )


def _findings(found: Plan, *, done: bool) -> list[Finding]:
    say = ok if done else wrong
    findings = [say(_place(repair), _text(repair, done=done)) for repair in found.repairs]
    if found.owes is not None:
        what = "an index request for its last entry into FINISHED or INDEXING"
        findings.append(say("_outbox", f"{'owes' if done else 'would owe'} {what} once more"))
    return findings + [note("left", sentence) for sentence in found.left]


def _place(repair: Repair) -> str:
    return repair.field if repair.moved is None else f"jobs_history {repair.moved} {repair.field}"


def _text(repair: Repair, *, done: bool) -> str:
    return f"{'became' if done else 'would become'} {short(repair.value)}: {repair.why}"
