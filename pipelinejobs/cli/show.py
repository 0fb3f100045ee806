"""Show one job: its state and its links, without history and without secrets.

What others stored beside the manager is shown as it is.

  python -m pipelinejobs show UUID
"""

import argparse
from typing import Any, Final

from pipelinejobs.cli import inputs
from pipelinejobs.cli.report import Report, short, when
from pipelinejobs.cli.session import Session

_HIDDEN: Final = frozenset({"_id", "_salt", "_salts", "_token_pin", "_outbox", "history"})


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)


def run(options: argparse.Namespace, session: Session) -> Report:
    """Shows the job."""
    document = session.store.jobs.document(options.uuid)
    if document is None:
        raise session.no_job(options.uuid)
    facts = {name: value for name, value in document.items() if name not in _HIDDEN}
    return Report(data=facts, lines=[f"{name}: {_line(value)}" for name, value in facts.items()])


def _line(value: Any) -> str:
    if isinstance(value, str):
        return value
    return when(value) if hasattr(value, "strftime") else short(value, 400)
