"""Where the files of this copy are: this one is a checkout; `tests/acceptance/test_wheel.py` has an installed one."""

from pathlib import Path

import pytest

from pipelinejobs import settings
from pipelinejobs.util import installation
from pipelinejobs.util.installation import NAME, user_data


def test_a_checkout_keeps_its_files_and_data_to_itself() -> None:
    assert installation.INSTALLED is False
    assert Path(__file__).resolve().parents[3] == installation.ROOT == installation.DATA
    assert installation.ROOT / "config.yml" == settings.CONFIG


class TestUserData:
    @pytest.fixture(autouse=True)
    def home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Path, "home", lambda: Path("/home/jdoe"))

    def test_is_where_xdg_says(self) -> None:
        assert user_data({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data") / NAME

    @pytest.mark.parametrize("named", [{}, {"XDG_DATA_HOME": ""}, {"XDG_DATA_HOME": "relative/is/ignored"}])
    def test_is_in_the_home_directory_otherwise(self, named: dict[str, str]) -> None:
        assert user_data(named, "linux") == Path("/home/jdoe/.local/share") / NAME

    def test_on_macos_is_apples(self) -> None:
        assert user_data({"XDG_DATA_HOME": "/data"}, "darwin") == Path("/home/jdoe/Library/Application Support") / NAME

    def test_without_a_home_directory_it_is_one_of_the_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def none() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", none)
        assert user_data({}, "linux") == Path("/var/lib") / NAME
