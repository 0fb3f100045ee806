"""The embedded MongoDB of a laptop, for when no other server is configured.

Why not a library: those that start a MongoDB do it for one process and its tests; here several processes share one
server that keeps its data. mongod detaches by itself, and the kernel's locks say what psutil would be asked for.
"""

from pipelinejobs.mongod.binary import find
from pipelinejobs.mongod.server import Mongod, Running

__all__ = ["Mongod", "Running", "find"]
