"""The embedded MongoDB of a laptop, for when no other server is configured."""

from pipelinejobs.mongod.binary import find
from pipelinejobs.mongod.server import Mongod, Running

__all__ = ["Mongod", "Running", "find"]
