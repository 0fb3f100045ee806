"""The error texts of invalid parameters."""

from datetime import datetime

import pytest
from pydantic import BaseModel, Field, ValidationError

from pipelinejobs.gateway.http.parameter_errors import parameter_error
from pipelinejobs.messages.fields import UUID_PATTERN


class Parameters(BaseModel):
    since: datetime | None = None
    pipeline: str | None = Field(None, pattern=f"^{UUID_PATTERN}$")
    name: str | None = Field(None, pattern="^[a-z]+$")
    limit: int = Field(1, le=200)
    overdue: bool = False


def said(**values: str) -> str:
    with pytest.raises(ValidationError) as caught:
        Parameters.model_validate(values)
    (error,) = caught.value.errors()
    return parameter_error({**error, "loc": ("query", *error["loc"])})


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "18:00", "-", "", "2026-11-23T25:00:00Z", "9" * 40])
def test_an_invalid_time(value: str) -> None:
    problem = said(since=value)
    assert problem.startswith("parameter since: is not a time such as 2026-11-23, 2026-11-23T18:00:00Z, ")
    for example in ("2026-11-23", "2026-11-23T18:00:00Z", "2026-11-23T18:00:00+02:00", "1764000000"):
        assert example in problem
        assert Parameters.model_validate({"since": example}).since is not None


def test_no_value_is_repeated() -> None:
    assert "canary" not in said(since="canary") + said(pipeline="canary") + said(name="canary-1")


def test_an_invalid_uuid() -> None:
    problem = said(pipeline="106D46FF")
    assert problem.startswith("parameter pipeline: is not a uuid in lower case, such as ")
    assert Parameters.model_validate({"pipeline": problem.split()[-1]}).pipeline


def test_an_invalid_truth() -> None:
    assert said(overdue="maybe") == "parameter overdue: must be true or false"


def test_other_texts_of_pydantic_are_kept() -> None:
    assert said(limit="201") == "parameter limit: Input should be less than or equal to 200"
    assert "^[a-z]+$" in said(name="1")
