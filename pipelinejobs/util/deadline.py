"""Deadlines, and calls with a time limit."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

Result = TypeVar("Result")


class Deadline:
    """A moment some seconds from now, on the monotonic clock: a change of the host's clock does not move it."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; 0 if the deadline has passed."""
        return max(0.0, self._end - monotonic())

    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return self.remaining() <= 0

    def at_most(self, seconds: float) -> "Deadline":
        """The deadline in so many seconds, or this one if that is sooner."""
        return Deadline(min(seconds, self.remaining()))


def call_within(seconds: float, call: Callable[[], Result]) -> Result:
    """Runs a call that has no time limit of its own. Returns what it returns, or raises what it raises.

    Raises:
        TimeoutError: the call takes longer. It goes on in a thread, which does not keep the process alive.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # SystemExit too, which would end this thread silently
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"timed out after {seconds} s")
    return results[0]
