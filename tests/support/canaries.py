"""Secrets that are planted in every test, and looked for in all that comes out (promise P6).

Known to all tests are the secrets that settings are given in tests; each job that a test makes adds its token. They are
looked for in what a test and its threads print and log, in the database that it leaves, in every answer of a gateway
that it asks, and in that gateway's metrics. Texts of processes are looked through where these are started.
"""

from typing import Final

ADMIN_KEY: Final = "canary-admin-key-8c1f"
ADMIN_SECRET: Final = "canary-admin-secret-51de"
NONCE: Final = "SD2E_canaryNonce42"
PASSWORD: Final = "canary-password-77b0"
CANARIES: Final = (ADMIN_KEY, ADMIN_SECRET, NONCE, PASSWORD)
"""Planted in the settings of every actor and gateway."""

_BEARERS: Final = "pj-canary-"
"""How the static tokens of tests begin."""

_planted: set[str] = set()


def plant(secret: str) -> None:
    """Has this looked for until the end of the test."""
    _planted.add(secret)


def forget() -> None:
    """Begins anew: what other tests have planted is no concern of this one."""
    _planted.clear()


def seen_in(text: str) -> list[str]:
    """The planted secrets that a text shows."""
    return [secret for secret in (*CANARIES, _BEARERS, *_planted) if secret in text]


def assert_hidden(text: str, where: str) -> None:
    """Fails where a text shows a planted secret.

    Args:
        where: what the text is, for the message.
    """
    seen = seen_in(text)
    assert not seen, f"{where} shows {seen}"
