"""Check settings, database, indexes, jobs and messages, and report problems.

Each line is `ok`, `note` (worth knowing) or `wrong`. --fix makes missing indexes, and replaces salts that a former
version has stored in jobs by hashes of their tokens. The exit code is 1 if something is still wrong.

--repair checks one job and prints what would be repaired; with --yes, it repairs the job in one guarded write. What
cannot be repaired without guessing is reported and left unchanged. Dates that are stored as text without a time zone
are read as UTC. The job's _salt and _admin are never changed.

  python -m pipelinejobs doctor --fix
  python -m pipelinejobs doctor --repair 1076e56a-fca5-5cb0-ad4f-5626a716e829 --yes
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from pipelinejobs.cli import inputs
from pipelinejobs.cli.doctor_findings import Finding, note, of_environment, of_settings, ok, output, wrong
from pipelinejobs.cli.doctor_job_systems import of_job_systems
from pipelinejobs.cli.doctor_machine import of_port
from pipelinejobs.cli.doctor_repair import repaired
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session, server_trouble
from pipelinejobs.core.tokens import was_rotated
from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.service.remember_tokens import replace_salts
from pipelinejobs.settings import TABLE, Settings
from pipelinejobs.store import Store
from pipelinejobs.store.outbox import FAILED, PENDING
from pipelinejobs.store.store import is_too_old
from pipelinejobs.util import redaction
from pipelinejobs.util.errors import CommandFailed, PipelineJobsError, Unavailable, WrongSetting
from pipelinejobs.util.plural import counted

_SHOWN: Final = 20
_LATE_SECONDS: Final = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--fix", action="store_true", help="make missing indexes, and replace salts of a former version"
    )
    parser.add_argument("--jobs", type=inputs.positive, metavar="N", help="check at most N jobs (default: all)")
    parser.add_argument("--repair", type=inputs.uuid, metavar="UUID", help="print what can be repaired in this job")
    parser.add_argument("--yes", action="store_true", help="with --repair: repair it")


def run(options: argparse.Namespace, session: Session) -> Output:
    """Checks everything, or repairs one job."""
    if options.repair is not None:
        return repaired(session, options.repair, yes=options.yes)
    if options.yes:
        raise inputs.UsageError("--yes needs --repair")
    return output(list(_look(options, session)))


def _look(options: argparse.Namespace, session: Session) -> Iterator[Finding]:
    broken = list(_wrong_settings(session))
    yield from broken
    if any(finding.what.startswith("mongodb") for finding in broken) or not _loads(session):
        yield note("database", "not checked, because the settings are wrong and may name another database")
        return
    if not broken:
        yield ok("settings", "config.yml and the environment are readable and agree")
        yield from of_port(session.settings.gateway)
    yield from of_environment(session.remarks)
    yield from of_settings(session.settings)
    try:
        store = session.store
        version = store.server_version()
    except (WrongSetting, Unavailable) as error:
        yield wrong("server", error.reason + server_trouble(error))
        yield note("database", "indexes, jobs and messages were not checked")
        return
    if not session.services.outbox.can_send:
        yield note(
            "indexer", "the Indexer's address is not known: pipelines.job_indexer_url is not set, and this is not Abaco"
        )
    yield _server(version)
    yield from _guarded("indexes", lambda: _indexes(store, fix=options.fix))
    yield from _guarded("jobs", lambda: _jobs(store, session.settings, options.jobs))
    yield from _guarded("tokens", lambda: _salts(store, fix=options.fix))
    yield from _guarded("journal", lambda: _journal(store))
    yield from _guarded("outbox", lambda: _outbox(store))
    yield from _guarded("reconcile", lambda: of_job_systems(session.services))


def _guarded(what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one check. If the check fails, that is a finding too, and the other checks go on."""
    try:
        yield from look()
    except PipelineJobsError as error:
        yield wrong(what, error.reason)
    except Exception as error:  # other programs may have stored values of any type
        yield wrong(what, f"the check could not be completed: {redaction.redacted(f'{type(error).__name__}: {error}')}")


def _wrong_settings(session: Session) -> Iterator[Finding]:
    """All wrong settings, not only the first: variables with a wrong value are removed, and the settings read again."""
    while True:
        try:
            _ = session.settings
        except WrongSetting as error:
            yield wrong(error.setting, error.reason.removeprefix(f"{error.setting}: "))
            own = [*TABLE[error.setting].variables] if error.setting in TABLE else []
            names = own if session.environment.keys() & own else _of_section(error.setting.partition(".")[0])
            left_out = [name for name in names if session.environment.pop(name, None) is not None]
            if not left_out:
                return  # the wrong value is in config.yml
        else:
            return


def _of_section(section: str) -> list[str]:
    """The variables of all settings of a section."""
    return [name for setting in TABLE.values() if setting.name.startswith(f"{section}.") for name in setting.variables]


def _loads(session: Session) -> bool:
    try:
        _ = session.settings
    except WrongSetting:
        return False
    return True


def _server(version: str) -> Finding:
    if is_too_old(version):
        return wrong("server", f"MongoDB {version} is too old; 5.0 or newer is needed")
    return ok("server", f"MongoDB {version}")


def _indexes(store: Store, *, fix: bool) -> Iterator[Finding]:
    missing = store.missing_indexes()
    if missing and fix:
        try:
            store.ensure_indexes()
        except CommandFailed as error:
            yield wrong("indexes", error.reason)
            return
        yield ok("indexes", f"made: {', '.join(missing)}")
    elif missing:
        yield wrong("indexes", f"missing: {', '.join(missing)}; run doctor --fix to make them")
    else:
        yield ok("indexes", "all indexes are there")


def _jobs(store: Store, configured: Settings, most: int | None) -> Iterator[Finding]:
    repeated = store.listing.repeated_uuids(_SHOWN)
    for uuid in repeated:
        yield wrong("jobs", f"{uuid} is the uuid of more than one document")
    count = damaged = 0
    unknown: list[str] = []
    for uuid in islice(_once(store.listing.uuids()), most):
        count += 1
        problems, is_unknown = _look_at(store, uuid)
        unknown += [uuid] if is_unknown else []
        yield from (wrong("jobs", f"{uuid}: {problem}") for problem in problems[: max(_SHOWN - damaged, 0)])
        damaged += len(problems)
    if damaged > _SHOWN:
        yield wrong("jobs", f"... and {damaged - _SHOWN} more")
    if damaged:
        yield note("jobs", "doctor --repair UUID prints what can be repaired in one job; with --yes it repairs the job")
    if not damaged and not repeated:
        yield ok("jobs", f"{counted(count, 'job')} checked; history and state agree")
    if unknown:
        yield _unknown_tokens(unknown, configured)


def _once(uuids: Iterable[str]) -> Iterator[str]:
    """Each uuid once, in the same order."""
    seen: set[str] = set()
    for uuid in uuids:
        if uuid not in seen:
            seen.add(uuid)
            yield uuid


def _unknown_tokens(uuids: list[str], configured: Settings) -> Finding:
    cure = "each sender's first token is trusted" if configured.tokens.trust_on_first_use else "it is refused"
    return note(
        "tokens",
        f"another program changed the salt before the manager first saw the job, so the token in its callbacks cannot "
        f"be computed ({cure}, see tokens.trust_on_first_use): {', '.join(uuids[:_SHOWN])}"
        f"{' ...' if len(uuids) > _SHOWN else ''}",
    )


def _look_at(store: Store, uuid: str) -> tuple[list[str], bool]:
    """The problems of one job, and whether its token is unknown.

    A job that cannot be read is reported as such, so that it does not end the check of the others.
    """
    try:
        read = take_snapshot(store, uuid)
    except PipelineJobsError:
        raise
    except Exception as error:
        return [f"it cannot be read ({type(error).__name__})"], False
    return (read.problems, was_rotated(read.job)) if read is not None else ([], False)


def _salts(store: Store, *, fix: bool) -> Iterator[Finding]:
    if fix and (count := replace_salts(store)):
        yield ok("tokens", f"salts of a former version replaced by hashes, in {counted(count, 'job')}")
    left = next(store.new_jobs.outdated(), None)
    if left is not None:
        what = "jobs have salts of a former version, from which a reader of the database could compute tokens"
        cure = "run doctor --fix to replace them by hashes"
        if fix:
            cure = f"{left.uuid or left.key} is damaged and has to be repaired first (doctor --repair UUID)"
        yield wrong("tokens", f"{what}; {cure}")


def _journal(store: Store) -> Iterator[Finding]:
    count, oldest = store.journal.waiting()
    late = oldest is not None and (store.outbox.now() - oldest).total_seconds() > _LATE_SECONDS
    if late:
        yield note(
            "journal",
            f"{counted(count, 'applied event')} not yet confirmed, and another program may have undone it; a gateway, "
            "the next one-shot run or drain confirms it",
        )


def _outbox(store: Store) -> Iterator[Finding]:
    pending = sum(1 for _ in store.outbox.rows(statuses=(PENDING,)))
    failed = [row.job for row in store.outbox.rows(statuses=(FAILED,))]
    if failed:
        jobs = ", ".join(failed[:_SHOWN])
        more = " ..." if len(failed) > _SHOWN else ""
        yield wrong("outbox", f"failed: {counted(len(failed), 'message')} ({jobs}{more}); run drain to try again")
    if pending:
        yield note("outbox", f"pending: {counted(pending, 'message')} to the Indexer; run drain to send now")
    if not pending and not failed:
        yield ok("outbox", "all messages are delivered")
