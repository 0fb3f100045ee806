"""How many of what, for people."""


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 message`, `2 messages`. For nouns whose plural ends with `s`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
