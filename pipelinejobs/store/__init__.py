"""MongoDB: jobs, their history, what is owed to other actors, and what was refused."""

from pipelinejobs.store.connection import DocumentFull, within
from pipelinejobs.store.jobs import Written
from pipelinejobs.store.store import Store

__all__ = ["DocumentFull", "Store", "Written", "within"]
