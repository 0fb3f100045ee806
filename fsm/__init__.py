"""The lifecycle of a PipelineJob. Pure: it imports `transitions` and nothing else of this project.

`lifecycle` holds the table as data, `machine` runs it, `replay` goes through a history with it and
`diagram` draws it.
"""

__all__ = ["diagram", "lifecycle", "machine", "replay"]
