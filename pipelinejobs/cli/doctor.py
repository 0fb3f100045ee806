"""Look for everything that is wrong: settings, database, indexes, jobs, undelivered messages.

With --fix the missing indexes are made. The exit code is 1 when something is wrong that stays so.
"""

import argparse
from collections.abc import Iterator
from typing import Final, NamedTuple

from pipelinejobs import checks
from pipelinejobs.cli import inputs
from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.errors import CommandFailed
from pipelinejobs.settings import Settings
from pipelinejobs.store import Store
from pipelinejobs.store.outbox import PENDING, UNDELIVERED

_OLDEST_SERVER: Final = (5, 0)
_SHOWN: Final = 20


class Finding(NamedTuple):
    """One thing looked at.

    Attributes:
        what: the subject.
        level: `ok`, `note` (worth knowing) or `wrong`.
        text: what was found.
    """

    what: str
    level: str
    text: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--fix", action="store_true", help="make the indexes that are missing")
    parser.add_argument(
        "--jobs", type=inputs.positive, metavar="N", help="look into at most so many jobs (default: all of them)"
    )


def run(options: argparse.Namespace, session: Session) -> Report:
    """Looks, and mends what may be mended."""
    findings = list(_settings(session.settings, can_send=session.services.outbox.can_send))
    findings += _server(session.store)
    findings += _indexes(session.store, fix=options.fix)
    findings += _jobs(session.store, session.settings, options.jobs)
    findings += _outbox(session.store)
    wrong = sum(finding.level == "wrong" for finding in findings)
    return Report(
        data={"wrong": wrong, "findings": [finding._asdict() for finding in findings]},
        lines=[f"{finding.level:5}  {finding.what}: {finding.text}" for finding in findings],
        exit_code=1 if wrong else 0,
    )


def _settings(configured: Settings, *, can_send: bool) -> Iterator[Finding]:
    yield Finding("settings", "ok", "config.yml and the environment are readable and agree")
    if not can_send:
        yield Finding("indexer", "note", "nothing says how to reach the Indexer (pipelines.job_indexer_url, or Abaco)")
    if configured.tokens.admin_key is None:
        yield Finding("tokens", "note", "there are no administrative tokens: reset and ready are refused for everyone")
    if not configured.require_pins:
        yield Finding(
            "pins", "note", "require_pins is false: on Abaco a URL parameter could replace a guarding setting"
        )


def _server(store: Store) -> Iterator[Finding]:
    version = store.server_version()
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_SERVER:
        yield Finding("server", "wrong", f"MongoDB {version} is too old; 5.0 or newer is needed")
    else:
        yield Finding("server", "ok", f"MongoDB {version}")


def _indexes(store: Store, *, fix: bool) -> Iterator[Finding]:
    missing = store.missing_indexes()
    if missing and fix:
        try:
            store.ensure_indexes()
        except CommandFailed as error:
            yield Finding("indexes", "wrong", error.reason)
            return
        yield Finding("indexes", "ok", f"made: {', '.join(missing)}")
    elif missing:
        yield Finding("indexes", "wrong", f"missing: {', '.join(missing)}; doctor --fix makes them")
    else:
        yield Finding("indexes", "ok", "all there")


def _jobs(store: Store, configured: Settings, most: int | None) -> Iterator[Finding]:
    repeated = store.listing.repeated_uuids(_SHOWN)
    for uuid in repeated:
        yield Finding("jobs", "wrong", f"{uuid} is the uuid of more than one document")
    looked_at = damaged = 0
    for uuid in store.listing.uuids():
        if most is not None and looked_at >= most:
            break
        job = store.jobs.load(uuid)
        if job is None:
            continue
        looked_at += 1
        for problem in checks.problems(job, list(store.history.entries(uuid))):
            damaged += 1
            if damaged <= _SHOWN:
                yield Finding("jobs", "wrong", f"{uuid}: {problem}")
    if damaged > _SHOWN:
        yield Finding("jobs", "wrong", f"... and {damaged - _SHOWN} more")
    if not damaged and not repeated:
        yield Finding("jobs", "ok", f"{looked_at} looked at, history and state agree")
    unknown = store.listing.rotated_before_first_seen(_SHOWN)
    if unknown:
        cure = "trusted on first use" if configured.tokens.trust_on_first_use else "see tokens.trust_on_first_use"
        yield Finding(
            "tokens",
            "note",
            f"the salt was changed by others before we first wrote, so the token in their callbacks is not known "
            f"({cure}): {', '.join(unknown)}{' ...' if len(unknown) == _SHOWN else ''}",
        )


def _outbox(store: Store) -> Iterator[Finding]:
    pending = sum(1 for _ in store.outbox.rows(statuses=(PENDING,)))
    given_up = [row.job for row in store.outbox.rows(statuses=(UNDELIVERED,))]
    if given_up:
        jobs = ", ".join(given_up[:_SHOWN])
        yield Finding("outbox", "wrong", f"{len(given_up)} messages were given up ({jobs}); drain sends them")
    if pending:
        yield Finding("outbox", "note", f"{pending} messages are owed to the Indexer; drain sends them now")
    if not pending and not given_up:
        yield Finding("outbox", "ok", "nothing is owed")
