"""Whether another program is known to write to the database.

While none is, a job that this project made is spared the journal (`core.outcome.Outcome.watch`); but only where
something looks for its events all the time, which a gateway does. So a process begins with `known`, and a gateway sets
it to false. Once it is true it is never unset: a thread that judges may have found another program at that moment.
"""

from pipelinejobs.store import Store, within

_DATABASE_SECONDS = 5.0


class OtherWriters:
    """What this process knows about other writers, agreed with all gateways."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._agreed = False
        self.known = True
        """Whether another program is known to write to the database."""

    def agree(self) -> None:
        """Tells other gateways, and is told by them.

        Raises:
            Unavailable: the database cannot be asked.
        """
        if self._agreed:
            return
        with within(_DATABASE_SECONDS):
            if self.known:
                self._store.journal.say_beside_others()
                self._agreed = True
            elif self._store.journal.is_beside_others():
                self.known = self._agreed = True
