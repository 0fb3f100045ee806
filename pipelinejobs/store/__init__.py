"""MongoDB: jobs, their history, outbox messages, refused deliveries, and the gateway's nonces, executions and sessions."""

from pipelinejobs.store.connection import DocumentFull, within
from pipelinejobs.store.jobs import Written
from pipelinejobs.store.store import Store

__all__ = ["DocumentFull", "Store", "Written", "within"]
