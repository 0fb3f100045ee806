"""Show one job: its state and its links, without history and without secrets.

Fields that begin with an underscore are shown only if they hold no secrets.

  python -m pipelinejobs show UUID
"""

import argparse
from typing import Any

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, short, when
from pipelinejobs.cli.session import Session
from pipelinejobs.core.views import public_job


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)


def run(options: argparse.Namespace, session: Session) -> Output:
    """Shows the job."""
    document = session.store.jobs.document(options.uuid)
    if document is None:
        raise session.no_job(options.uuid)
    facts = public_job(document)
    return Output(data=facts, lines=[f"{name}: {_line(value)}" for name, value in facts.items()])


def _line(value: Any) -> str:
    if isinstance(value, str):
        return value
    return when(value) if hasattr(value, "strftime") else short(value, 400)
