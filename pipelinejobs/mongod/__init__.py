"""The embedded MongoDB, for a laptop: used if no other server is configured.

Why not a library: libraries start a MongoDB for one process and its tests; here, several processes share one server
that keeps its data. mongod goes into the background by itself, and locks of the kernel show which process it is.
"""

from pipelinejobs.mongod.binary import find
from pipelinejobs.mongod.server import Mongod, Running

__all__ = ["Mongod", "Running", "find"]
