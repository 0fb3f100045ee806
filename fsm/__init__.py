"""The lifecycle of a PipelineJob. It imports `transitions` and no other part of this project.

`lifecycle` holds the table as data, `machine` runs it, `replay` follows a history through it, `reach` says which states
can still come and `diagram` draws it.
"""

__all__ = ["diagram", "lifecycle", "machine", "reach", "replay"]
