"""Wait until a job is in one of the wanted states, and print its state.

The database is asked once a second. While it cannot be reached, the command goes on waiting. The state is the last line
on stdout. A state that the job enters and leaves between two looks counts too.

The exit code is 0 if the job has reached one of the states, 1 if it cannot any more (no event but an administrative one
leads there), 75 after --timeout, and 65 if there is no such job.

  python -m pipelinejobs wait UUID --until FINISHED,FAILED --timeout 1h
"""

import argparse
import time
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session, server_trouble
from pipelinejobs.core import waiting
from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from pipelinejobs.core.waiting import NEVER, Mark, Reached
from pipelinejobs.store import Store, within
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Malformed, Unavailable

_DEFAULT: Final = "FINISHED,FAILED"
_PAUSE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 5.0
"""The pause between two looks at the job, and the time limit of one."""
_EXIT_NEVER: Final = 1


class _Look(NamedTuple):
    """The job as it was read last: its mark, and whether it has reached a wanted state."""

    mark: Mark
    reached: Reached


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)
    parser.add_argument(
        "--until",
        type=_states,
        default=_DEFAULT,
        metavar="STATES",
        help="the wanted states, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout", type=inputs.duration, metavar="TIME", help="stop waiting after this time, such as 90s or 1h30m"
    )


def run(options: argparse.Namespace, session: Session) -> Output:
    """Waits.

    Raises:
        Malformed: there is no such job, or no longer.
        Unavailable: the database could not be asked within --timeout.
    """
    store, wanted = session.store, ", ".join(sorted(options.until))
    with session.progress.watch(f"Waiting for {options.uuid} to be {wanted}") as tell:
        look = _waited(options, session, store, tell)
    state = str(look.mark.state)
    if look.reached == NEVER:
        session.progress.say(f"the job is {state}; only an administrative event leads from there to {wanted}")
    elif not look.reached:
        session.progress.say(f"timed out; the job is {state}")
    facts = {"uuid": options.uuid, "state": look.mark.state, "revision": look.mark.revision, "reached": look.reached}
    codes = {True: 0, False: EXIT_CODES[Verdict.UNAVAILABLE], NEVER: _EXIT_NEVER}
    return Output(data=facts, lines=[state], exit_code=codes[look.reached])


def _waited(options: argparse.Namespace, session: Session, store: Store, tell: Callable[[str], None]) -> _Look:
    """Looks at the job until it has reached a wanted state, cannot any more, or the time is over."""
    deadline = Deadline(options.timeout if options.timeout is not None else float("inf"))
    first: Mark | None = None
    last: _Look | None = None
    is_away = False
    while True:
        is_over = deadline.passed()
        try:
            with within(min(_LOOK_SECONDS, deadline.remaining() + _PAUSE_SECONDS)):
                if last is None or _has_news(store, options.uuid, last.mark, options.until):
                    last = _looked(session, store, options.uuid, options.until, first)
                    first = first or last.mark
            is_away = False
            tell(str(last.mark.state))
        except Unavailable as error:
            if not is_away:
                session.progress.say(f"{error.reason}{server_trouble(error)}; the command goes on waiting")
            is_away = True
            if is_over and last is None:
                raise
        if last is not None and (is_over or last.reached is not False):
            return last
        time.sleep(min(_PAUSE_SECONDS, deadline.remaining()))


def _has_news(store: Store, uuid: str, known: Mark, wanted: Collection[str]) -> bool:
    """Whether the job has to be read again, by a small read: it may have reached a wanted state, or is gone."""
    changes = store.changes.of([uuid])
    return not changes or waiting.may_have_reached(waiting.told(changes[0]), known, wanted)


def _looked(session: Session, store: Store, uuid: str, wanted: Collection[str], first: Mark | None) -> _Look:
    document = store.jobs.outline(uuid)
    if document is None:
        raise Malformed("uuid", session.no_job(uuid).reason)
    mark = waiting.mark(document)
    return _Look(mark, waiting.reached(document, wanted, first or mark))


def _states(text: str) -> frozenset[str]:
    try:
        return waiting.states([text], "--until")
    except Malformed as error:
        raise argparse.ArgumentTypeError(error.problem) from None
