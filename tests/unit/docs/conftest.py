"""The documentation, built once for all workers, as `make docs` builds it."""

import os

import pytest

from support.built import Built


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The built documentation."""
    base = tmp_path_factory.getbasetemp()
    return Built((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "docs")
