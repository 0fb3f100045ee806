"""What a principal may do at the gateway: the levels of Abaco's permissions and nonces."""

from enum import IntEnum


class Permission(IntEnum):
    """Each permission includes those with lower values. `name` is Abaco's word for it."""

    NONE = 0
    READ = 1
    """See jobs, executions and nonces."""
    EXECUTE = 2
    """Send messages."""
    UPDATE = 3
    """Make and delete nonces; send failed outbox messages again."""
