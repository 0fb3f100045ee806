"""Every example of README.rst and docs/ runs, and prints what the page shows.

A page's blocks run one after the other in one shell and one Python, in a copy of the project, against a real MongoDB
and a gateway that serves. The reader is given `API`, `NONCE`, `BEARER` (a static token with the UPDATE permission),
`INDEXER` (where messages to the Indexer go), and `UUID` and `TOKEN` of a new job: in the shell and, in small letters,
in Python, where `rx` is a reactor.
"""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.core.permission import Permission
from pipelinejobs.store import Store
from pipelinejobs.store.nonces import NewNonce
from support.docs import Block, blocks, name_of, pages
from support.examples import is_shown, reading
from support.gateway import ALIAS, TOKENS, serving, settings
from support.process import Documents, insert_job
from tools.demo.indexer import Indexer

RUN = ("sh", "python")
NOT_RUN = ("text", "ini", "yaml", "json", "nginx", "console")
"""Languages of what is shown and cannot be run on a laptop, or is no program."""
TARGETS = re.findall(r"^([a-z-]+):", (Path(__file__).parents[2] / "Makefile").read_text("utf-8"), re.MULTILINE)

WITH_EXAMPLES = [page for page in pages() if any(block.language in RUN for block in blocks(page))]


@pytest.fixture
def environment(
    mongodb_uri: str, database: Database[dict[str, Any]], jobs: Documents, store: Store, indexer: Indexer
) -> dict[str, str]:
    """The reader's variables but API, and the settings of the test's own database."""
    job = insert_job(jobs, "job-created.json")
    store.ensure_indexes()
    nonce, _ = store.nonces.make(NewNonce(scope=f"alias:{ALIAS}", tenant="SD2E", owner="reader", by_operator=True))
    return {
        "_REACTOR_MONGODB_AUTHN": base64.urlsafe_b64encode(mongodb_uri.encode()).decode(),
        "_REACTOR_MONGODB_DATABASE": database.name,
        "UUID": job.uuid,
        "TOKEN": job.token,
        "NONCE": nonce.reveal(),
        "INDEXER": indexer.url,
        "BEARER": TOKENS[Permission.UPDATE.name],
    }


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_the_examples_of_a_page(
    page: Path, tmp_path: Path, mongodb_uri: str, database: Database[dict[str, Any]], environment: dict[str, str]
) -> None:
    with (
        serving(settings(mongodb_uri, database.name)) as gateway,
        reading(tmp_path, {**environment, "API": gateway.url}) as reader,
    ):
        last: tuple[Block, str] | None = None
        for block in blocks(page):
            if block.is_output:
                assert last is not None, f"{block} shows the output of nothing"
                assert is_shown(block.text, last[1]), f"{block} shows what {last[0]} does not print:\n{last[1]}"
            elif block.language in RUN:
                try:
                    last = block, reader.run(block.language, block.text)
                except AssertionError as failed:
                    pytest.fail(f"{block}: {failed}")
        assert {target.split()[0] for target in reader.targets() if target} <= set(TARGETS)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    for block in blocks(page):
        assert block.language in (*RUN, *NOT_RUN), f"{block}: {block.language or 'no language'}"


class TestShown:
    @pytest.mark.parametrize(
        ("shown", "printed"),
        [
            ("a", "a\n"),
            ("uuid: ...\nstate: X", "uuid: 107\nstate: X"),
            ("a\n...\nd", "a\nb\nc\nd"),
            ("a\n...", "a\nb\nc"),
            ("...\nc", "a\nb\nc"),
        ],
    )
    def test_is_what_was_printed(self, shown: str, printed: str) -> None:
        assert is_shown(shown, printed)

    @pytest.mark.parametrize(("shown", "printed"), [("a", "b"), ("a", "a\nb"), ("a\n...\nd", "a\nb"), ("a.c", "abc")])
    def test_is_not_what_was_printed(self, shown: str, printed: str) -> None:
        assert not is_shown(shown, printed)
