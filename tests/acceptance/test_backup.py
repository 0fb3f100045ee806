"""docs/how-to/back-up-and-restore.rst, rehearsed: a copy of one stopped member's files is put back into all of them."""

import shutil
import subprocess
from pathlib import Path

from support.operators import operating

MEMBERS = ("mongodb1", "mongodb2", "mongodb3")


def copy(source: Path, target: Path) -> None:
    """As `tar` in and out of a volume: owners and modes stay."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def test_what_was_answered_before_the_copy_is_there_again_and_the_rest_can_be_sent_again(tmp_path: Path) -> None:
    volumes, backup = tmp_path / "volumes", tmp_path / "backup"
    with operating(tmp_path) as operator:
        compose = operator.compose
        compose.up()
        job = operator.told("create", "--pipeline-name", "demo", "--data", '{"sample": 1}')
        assert operator.sent(job, "run", "before") == "applied"
        nonce = operator.told("nonce", "add")["id"]

        # The copy is made of a member that has been ended, while the others serve.
        assert compose.stop("mongodb3") == [0]
        copy(volumes / "mongodb3", backup)
        assert operator.sent(job, "update", "after") == "applied"
        compose.up("mongodb3")
        assert operator.sent(job, "finish", "long after") == "applied"
        operator.told("nonce", "delete", nonce)
        assert operator.told("nonce", "list") == []

        # All is lost, and the copy is put back.
        compose.down()
        for member in MEMBERS:
            shutil.rmtree(volumes / member)
            copy(backup, volumes / member)
        compose.up()
        found = operator.told("doctor", "--fix")
        assert found["wrong"] == 0, found
        assert operator.told("show", job["uuid"])["state"] == "RUNNING"

        # What is in the copy is known; what is not is taken as new, with the tokens that senders have.
        assert operator.sent(job, "run", "before") == "duplicate"
        assert operator.sent(job, "update", "after") == "applied"
        assert operator.sent(job, "finish", "long after") == "applied"
        names = [entry["name"] for entry in operator.told("history", job["uuid"])]
        assert names == ["create", "run", "update", "finish"]
        assert len(operator.told("explain", job["uuid"])["owed"]) == 1

        # What was deleted after the copy was made has to be deleted again.
        assert len(operator.told("nonce", "list")) == 1
