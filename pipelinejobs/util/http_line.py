"""Holding a call to its time limit, whatever it hangs in: a name that does not resolve, or a server that drips."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from pipelinejobs.util.deadline import Deadline, call_within
from pipelinejobs.util.errors import Undelivered


class Line:
    """The connection of one call, so that whoever waits for the call can cut it.

    A time limit on a socket is for one read; a server that sends a byte now and then never reaches it. Cutting
    the connection ends such a call, and with it the thread it runs in.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = Deadline(seconds)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def remaining(self) -> float:
        """Seconds left, more than 0.

        Raises:
            TimeoutError: none are left, or the line was cut.
        """
        left = self._deadline.remaining()
        if left <= 0 or self._cut:
            raise TimeoutError
        return left

    def hold(self, connected: socket.socket) -> None:
        """Takes the socket that is to be shut down when the line is cut, and gives it the time that is left.

        Raises:
            TimeoutError: the time is over; nothing must be sent any more.
        """
        with self._lock:
            self._socket = connected
        connected.settimeout(self.remaining())

    def cut(self) -> None:
        """Ends the call: what reads or writes on the socket comes back at once. For use from another thread."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with suppress(OSError):  # it may be closed by now
                    # Not SSLSocket.shutdown, which takes the encryption away under the reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def call(work: Callable[[Line], None], seconds: float, receiver: str) -> None:
    """Runs `work` on a line that is cut after `seconds`.

    Args:
        work: does the call, and keeps its socket in the line.
        seconds: for everything.
        receiver: what a reason calls the other side.

    Raises:
        Undelivered: `work` raised it, or anything else, or ran out of time.
    """
    line = Line(seconds)
    try:
        call_within(seconds, lambda: work(line))
    except TimeoutError:
        raise Undelivered(f"{receiver} did not answer in full within {seconds:.1f} s") from None
    except Undelivered:
        raise
    except (Exception, SystemExit) as error:  # its text may hold the URL, or what the receiver made up
        raise Undelivered(f"the message could not be sent to {receiver} ({type(error).__name__})") from None
    finally:
        line.cut()
