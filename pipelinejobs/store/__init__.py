"""Everything stored in MongoDB: jobs, history, outbox messages, refusals, and the gateway's own collections."""

from pipelinejobs.store.connection import DocumentFull, within
from pipelinejobs.store.jobs import Written
from pipelinejobs.store.store import Store

__all__ = ["DocumentFull", "Store", "Written", "within"]
