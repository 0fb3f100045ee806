"""The PipelineJobs Manager: it turns reports about jobs into one reliable state and history, and tells the Indexer.

Public are `__version__`, `pipelinejobs.client` and the package `fsm`; docs/reference/python.rst lists their names.
Everything else in this package is private and may change in any release.
"""

__all__ = ["__version__", "client"]

__version__ = "0.3.0"
