"""The number of mistakes in a misspelt name.

The standard library's difflib does not count mistakes: it measures how much two texts have in common, so two names with
the same long prefix, such as environment variables, always look alike to it.
"""

from os.path import commonprefix
from typing import Final

MOST: Final = 2
"""A name with more mistakes than this is another name."""


def mistakes(one: str, other: str) -> int:
    """The number of letters that are wrong, missing, added, or swapped with their neighbour.

    This is the optimal string alignment distance.

    Returns:
        The number; `MOST` + 1 for any number above `MOST`.
    """
    same = len(commonprefix((one, other)))  # noqa: RUF071 - letters are meant, not parts of a path
    one, other = one[same:], other[same:]
    if abs(len(one) - len(other)) > MOST or len(set(one) ^ set(other)) > 2 * MOST:
        return MOST + 1  # a cheap check, before the expensive count
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        further = [at]
        for place, wanted in enumerate(other, 1):
            count = min(row[place] + 1, further[place - 1] + 1, row[place - 1] + (letter != wanted))
            if at > 1 and place > 1 and letter == other[place - 2] and one[at - 2] == wanted:
                count = min(count, before[place - 2] + 1)
            further.append(count)
        if min(further) > MOST:
            return MOST + 1
        before, row = row, further
    return row[-1]
