"""The file that PIPELINEJOBS_SECRETS names."""

import json
from pathlib import Path

import pytest

from pipelinejobs.settings import load
from pipelinejobs.settings.secrets_file import VARIABLE, Unreadable, joined, read
from pipelinejobs.util.errors import WrongSetting

KEY = "_REACTOR_TOKENS_ADMIN_KEY"


def written(directory: Path, content: object) -> dict[str, str]:
    """Writes a file with this content, and returns an environment that names it."""
    file = directory / "secrets.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return {VARIABLE: str(file)}


def test_without_a_file_the_environment_is_as_it_is() -> None:
    assert joined({"A": "b", VARIABLE: ""}) == ({"A": "b", VARIABLE: ""}, [])


def test_the_file_adds_what_it_sets(tmp_path: Path) -> None:
    environ = written(tmp_path, {KEY: "k", "_REACTOR_MONGODB_URI": ""})
    assert joined({**environ, "A": "b"}) == ({**environ, "A": "b", KEY: "k"}, [])


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert joined({**written(tmp_path, {KEY: "k"}), KEY: ""}).environment[KEY] == "k"


def test_the_same_value_twice_is_no_contradiction(tmp_path: Path) -> None:
    assert joined({**written(tmp_path, {KEY: "k"}), KEY: "k"}).environment[KEY] == "k"


def test_two_values_for_one_name_are_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(
        WrongSetting, match=f"{KEY} has one value in the file and another in the environment"
    ) as refused:
        joined({**written(tmp_path, {KEY: "hidden-one"}), KEY: "hidden-other"})
    assert "hidden" not in str(refused.value)


def test_a_misspelt_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"_REACTOR_TOKENS_ADMINKEY: is not a setting; did you mean " + KEY):
        joined(written(tmp_path, {"_REACTOR_TOKENS_ADMINKEY": "k"}))


@pytest.mark.parametrize(
    "content", ["", "[]", "{", f'{{"{KEY}": [1]}}', f'{{"{KEY}": {{}}}}', '{"A": "b", "A": "c"}', "\udcff"]
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(Unreadable, match=r"secrets\.json is not"):
        read(file)
    with pytest.raises(WrongSetting, match=VARIABLE):
        joined({VARIABLE: str(file)})


@pytest.mark.parametrize(
    ("value", "text"), [(3600, "3600"), (2.5, "2.5"), (True, "true"), (False, "false"), ("x", "x"), (None, None)]
)
def test_numbers_truth_values_and_null_are_values(tmp_path: Path, value: object, text: str | None) -> None:
    environ = written(tmp_path, {"_REACTOR_LIMITS_DATABASE": value})
    assert joined(environ).environment.get("_REACTOR_LIMITS_DATABASE") == text


def test_settings_of_other_programs_are_named_and_left_out_whatever_their_values(tmp_path: Path) -> None:
    environ = written(tmp_path, {"B": {"c": [1]}, "_REACTOR_DEBUG": 1, KEY: "k", "A": None, "PATH": "/nowhere"})
    assert joined({**environ, "PATH": "/bin"}) == (
        {**environ, "PATH": "/bin", KEY: "k"},
        ["A", "B", "PATH", "_REACTOR_DEBUG"],
    )


def test_the_file_of_the_original_works_as_it_is() -> None:
    file = Path(__file__).resolve().parents[2] / "data" / "secrets-of-the-original.json"
    found = joined({VARIABLE: str(file)})
    tokens = load(found.environment).tokens
    assert tokens.admin_key is not None
    assert tokens.admin_secret is not None
    assert tokens.admin_key.reveal() == "a-key-of-the-catalog"
    assert tokens.admin_secret.reveal() == "a-secret-of-the-catalog"
    assert tokens.admin_lifetime == 1800
    assert found.environment.keys() & set(found.foreign) == set()


def test_invalid_json_is_located_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text('{\n  "A": "a-secret-word",\n}')
    with pytest.raises(Unreadable, match="line 3, column 1") as caught:
        read(file)
    assert "a-secret-word" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="nowhere cannot be read: No such file"):
        joined({VARIABLE: str(tmp_path / "nowhere")})
