"""The PipelineJobs Manager: it receives what is reported about jobs and keeps their state."""

from typing import Final

VERSION: Final = "0.3.0"
"""As in pyproject.toml."""
