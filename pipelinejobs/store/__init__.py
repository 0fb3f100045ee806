"""MongoDB: jobs, their history, messages to other actors, refused deliveries, and what the gateway keeps."""

from pipelinejobs.store.connection import DocumentFull, within
from pipelinejobs.store.jobs import Written
from pipelinejobs.store.store import Store

__all__ = ["DocumentFull", "Store", "Written", "within"]
