"""What a mutant replaces, and what it says where the source does not hold that."""

import dataclasses
from pathlib import Path

import pytest

from tools.mutants.mutant import Mutant
from tools.mutants.syntax import DoesNotApply, NoSuchPlace, replaced

SOURCE = '''
"""Prüft."""

WORDS = ("a", "b")  # both


class Door:
    """An entrance."""

    def shut(self, key: str) -> bool:
        """Shuts it."""
        ä = "ö"; allowed = (key == 'right' and  # a comment
                           not self.stuck)
        if allowed:
            self.log(key)
            self.closed = True
        return allowed


async def knock(door: Door, times: int) -> int:
    for _ in range(times):
        door.log("knock")
        door.log("wait")
    return times
'''


def lines_changed(name: str, old: str, new: str) -> list[str]:
    """The lines that are new in the source when it is mutated."""
    before = SOURCE.splitlines()
    return [line for line in replaced(SOURCE, name, old, new).splitlines() if line not in before]


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("Door.shut", 'key == "right"', "True", ['        ä = "ö"; allowed = ((True) and  # a comment']),
        ("Door.shut", "key == 'right' and (not self.stuck)", "1", ['        ä = "ö"; allowed = ((1))']),
        ("Door.shut", "self.log(key)", "pass", ["            pass"]),
        ("WORDS", "('a', 'b')", "()", ["WORDS = (())  # both"]),
        ("knock", "range(...)", "range(1)", ["    for _ in (range(1)):"]),
        ("", "return times", "return 0", ["    return 0"]),
        (
            "knock",
            """
                door.log("knock")
                door.log("wait")
            """,
            """
                if times:
                    return 1
            """,
            ["        if times:", "            return 1"],
        ),
    ],
    ids=["quotes", "layout and comments", "left out", "a constant", "any expression", "anywhere", "statements"],
)
def test_it_is_found_by_what_it_says(name: str, old: str, new: str, changed: list[str]) -> None:
    assert lines_changed(name, old, new) == changed


def test_only_that_place_is_changed() -> None:
    assert replaced(SOURCE, "Door.shut", "key == 'right'", "x").replace("((x) ", "(key == 'right' ") == SOURCE


@pytest.mark.parametrize(
    ("name", "old", "told"),
    [
        (
            "Door.shut",
            "key != 'right'",
            "`key != 'right'` has to be there once, and is not there, nearest is `key == 'right'`",
        ),
        ("knock", "door.log(...)", "`door.log(...)` has to be there once, and is in lines 22, 23"),
        ("knock", "door.log('knock')\ndoor.log('go')", "nearest is `door.log('knock')\ndoor.log('wait')`"),
        ("Door.shut", "True\nreturn 1", "not there"),
        ("knock", "self.log(key)", "nearest is `door.log('knock')`; Door.shut has it"),
    ],
    ids=["gone", "twice", "statements that are gone", "a number of statements", "in another function"],
)
def test_what_is_not_there_once(name: str, old: str, told: str) -> None:
    with pytest.raises(DoesNotApply) as raised:
        replaced(SOURCE, name, old, "pass")
    assert told in str(raised.value)


def test_a_place_that_is_gone() -> None:
    with pytest.raises(NoSuchPlace, match=r"there is no Door\.shot; nearest is Door\.shut"):
        replaced(SOURCE, "Door.shot", "True", "False")


class TestMutant:
    MUTANT = Mutant(promises=(), what="", where="pipelinejobs/door.py:knock", old="times > 1", new="True", tests=())

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "pipelinejobs").mkdir()
        (tmp_path / "fsm").mkdir()
        (tmp_path / "pipelinejobs" / "door.py").write_text("def knock(times):\n    return times > 1\n")
        (tmp_path / "pipelinejobs" / "gate.py").write_text("class Gate:\n    def ring(self): ...\n")
        (tmp_path / "Dockerfile").write_text("FROM scratch\nUSER nobody\n")
        return tmp_path

    def test_its_file_is_changed_in_the_copy_alone(self, root: Path) -> None:
        assert self.MUTANT.applied_to(root) == "def knock(times):\n    return (True)\n"
        assert "times > 1" in (root / "pipelinejobs" / "door.py").read_text()

    @pytest.mark.parametrize(
        ("where", "told"),
        [
            ("fsm/bell.py:knock", "there is no fsm/bell.py; what is replaced is in pipelinejobs/door.py:knock"),
            ("pipelinejobs/door.py:Door", "there is no Door; nearest is knock; what is replaced is in"),
            ("fsm/bell.py:tap", "there is no fsm/bell.py; what is replaced is in pipelinejobs/door.py:knock"),
        ],
        ids=["its file", "its function", "both"],
    )
    def test_what_has_moved_is_told(self, root: Path, where: str, told: str) -> None:
        with pytest.raises(DoesNotApply) as raised:
            dataclasses.replace(self.MUTANT, where=where).applied_to(root)
        assert told in str(raised.value)

    @pytest.mark.parametrize(
        ("where", "told"),
        [
            ("fsm/bell.py:ring", "there is no fsm/bell.py; of that name is pipelinejobs/gate.py:Gate.ring"),
            ("fsm/bell.py:tap", "there is no fsm/bell.py"),
        ],
        ids=["of that name", "of no name"],
    )
    def test_where_what_is_replaced_is_nowhere_its_place_is_told(self, root: Path, where: str, told: str) -> None:
        with pytest.raises(DoesNotApply) as raised:
            dataclasses.replace(self.MUTANT, where=where, old="times > 2").applied_to(root)
        assert str(raised.value) == told

    def test_other_files_are_text(self, root: Path) -> None:
        mutant = dataclasses.replace(self.MUTANT, where="Dockerfile", old="USER nobody\n", new="")
        assert mutant.applied_to(root) == "FROM scratch\n"
        with pytest.raises(DoesNotApply, match="Dockerfile holds `USER root` 0 times; nearest is `USER nobody`"):
            dataclasses.replace(mutant, old="USER root").applied_to(root)
