"""The documentation, built once for each worker, as `make docs` builds it."""

import pytest

from support.built import Built


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The built documentation."""
    return Built(tmp_path_factory.mktemp("docs"))
