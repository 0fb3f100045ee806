"""Show one job: its state and its links, without history and without secrets.

Fields that begin with an underscore are shown only if they hold no secrets. A last line says if the job had no event
for hours, or runs for longer than the job system's limit.

  python -m pipelinejobs show UUID
"""

import argparse
from typing import Any

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, short, when
from pipelinejobs.cli.session import Session
from pipelinejobs.core.views import public_job
from pipelinejobs.diagnose import silence


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)


def run(options: argparse.Namespace, session: Session) -> Output:
    """Shows the job."""
    document = session.store.jobs.document(options.uuid)
    if document is None:
        raise session.no_job(options.uuid)
    facts = public_job(document)
    lines = [f"{name}: {_line(value)}" for name, value in facts.items()]
    job = session.store.jobs.load(options.uuid)
    quiet_after = session.settings.reconcile.after
    remarks = silence.remarks(job, session.store.outbox.now(), quiet_after) if job is not None else []
    return Output(data=facts, lines=lines + [f"note: {remark}" for remark in remarks])


def _line(value: Any) -> str:
    if isinstance(value, str):
        return value
    return when(value) if hasattr(value, "strftime") else short(value, 400)
