"""deploy/*.lock: what the images install, to the byte, and that it is what the ranges ask for."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[3]
PAIRS = [("requirements.txt", "requirements.lock"), ("requirements-gateway.txt", "requirements-gateway.lock")]
ENTRY = re.compile(r"([a-z0-9.-]+)==(\S+)( ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


def locked(name: str) -> dict[str, Version]:
    """The versions in a lock file, which must hold nothing else."""
    text = (ROOT / "deploy" / name).read_text()
    entries = list(ENTRY.finditer(text))
    assert "".join(entry[0] for entry in entries) == text, "there is more in it than versions with their hashes"
    return {canonicalize_name(entry[1]): Version(entry[2]) for entry in entries}


def ranges(name: str) -> list[Requirement]:
    """The requirements in a file, and in those that it takes in."""
    found = []
    for line in (ROOT / name).read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += ranges(text.removeprefix("-r "))
        elif text:
            found.append(Requirement(text))
    return found


@pytest.mark.promise("S23")
class TestLocks:
    @pytest.mark.parametrize(("requirements", "lock"), PAIRS)
    def test_hold_what_the_ranges_ask_for(self, requirements: str, lock: str) -> None:
        versions = locked(lock)
        wanted = ranges(requirements)
        assert wanted
        for each in wanted:
            assert versions[canonicalize_name(each.name)] in each.specifier, f"`make lock` renews it: {each}"

    def test_agree_with_each_other(self) -> None:
        actor, gateway = (locked(lock) for _, lock in PAIRS)
        assert actor.items() <= gateway.items()
