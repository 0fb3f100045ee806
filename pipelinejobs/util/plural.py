"""How many of what, for people. For nouns whose plural ends with `s`."""


def noun(number: int, one: str) -> str:
    """The noun that goes with a number: `message` with 1, else `messages`."""
    return one if number == 1 else f"{one}s"


def counted(number: int, one: str) -> str:
    """A number with its noun: `1 message`, `2 messages`."""
    return f"{number} {noun(number, one)}"
