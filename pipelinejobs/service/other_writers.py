"""Whether another program is known to write to the database.

If none is known, events of jobs that this project made need no journal: the gateway watches them in memory
(`core.outcome.Outcome.watch`). A one-shot run cannot watch them, so each process starts with `known` set, and a gateway
sets it to False at its start. Once another program is known, `known` is never unset.
"""

from pipelinejobs.store import Store, within

_DATABASE_SECONDS = 5.0


class OtherWriters:
    """What this process knows about other writers, shared with all gateways through the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._agreed = False
        self.known = True
        """Whether another program is known to write to the database."""

    def agree(self) -> None:
        """Stores that another program is known, or reads whether another gateway has stored it.

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
