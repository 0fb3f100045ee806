"""What a caller of the gateway may do; the levels of Abaco's permissions and nonces."""

from enum import IntEnum


class Right(IntEnum):
    """A right includes those below it. `name` is the word that Abaco uses."""

    NONE = 0
    READ = 1
    """See jobs, executions and nonces."""
    EXECUTE = 2
    """Send messages."""
    UPDATE = 3
    """Make and delete nonces."""
