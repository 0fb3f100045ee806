"""Numbers with their nouns. For nouns with a plural in `s`."""


def noun(number: int, one: str) -> str:
    """The noun after a number: `message` after 1, else `messages`."""
    return one if number == 1 else f"{one}s"


def counted(number: int, one: str) -> str:
    """A number with its noun: `1 message`, `2 messages`."""
    return f"{number} {noun(number, one)}"
