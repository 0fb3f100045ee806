"""The colours of the pages have enough contrast (WCAG 2.2, level AA), in the light and in the dark theme."""

import re

import pytest

from fsm.lifecycle import STATES
from pipelinejobs.gateway.pages import static

CSS = static.content("pages.css").decode()
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
)
SCHEMES = [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")]
TEXT, CONTROL = 4.5, 3.0
TINT = 0.16
"""As much of a state's colour as is behind its name at the most."""

Colour = tuple[float, float, float]


def colour(text: str) -> Colour:
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (a * share + b * (1 - share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def luminance(of: Colour) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in of)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula() -> None:
    assert round(contrast(colour("#000000"), colour("#ffffff")), 2) == 21
    assert round(contrast(colour("#777777"), colour("#ffffff")), 2) == 4.48


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("state", STATES)
def test_the_name_of_a_state(scheme: dict[str, str], state: str) -> None:
    own, surface = colour(scheme[state.lower()]), colour(scheme["surface"])
    assert contrast(own, mixed(own, surface, TINT)) >= TEXT
    assert f".s-{state.lower()} {{ --c: var(--{state.lower()}); }}" in CSS


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("behind", ["ground", "surface", "said"])
@pytest.mark.parametrize("text", ["text", "quiet", "accent", "wrong"])
def test_texts(scheme: dict[str, str], behind: str, text: str) -> None:
    assert contrast(colour(scheme[text]), colour(scheme[behind])) >= TEXT


@pytest.mark.parametrize("scheme", SCHEMES)
def test_controls(scheme: dict[str, str]) -> None:
    assert contrast(colour(scheme["on-accent"]), colour(scheme["accent"])) >= TEXT
    for behind in ("ground", "surface"):
        assert contrast(colour(scheme["strong-line"]), colour(scheme[behind])) >= CONTROL
