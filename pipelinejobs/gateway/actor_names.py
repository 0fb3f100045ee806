"""The actor names that the gateway serves, and ids in Abaco's form."""

import random
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from hashids import Hashids

from pipelinejobs.settings import Settings

# Abaco's salt, which is public: it gives ids their form and hides nothing.
_HASHIDS: Final = Hashids("eJa5wZlEX4eWU")
_BITS: Final = 64
_random: Final = random.Random()  # noqa: S311 - an id is no secret; seeded by the system


@dataclass(frozen=True, slots=True)
class ActorNames:
    """The actor that a gateway stands for.

    Attributes:
        id: the actor's id.
        aliases: its aliases.
        tenant: the prefix of the ids of its nonces.
    """

    id: str
    aliases: tuple[str, ...]
    tenant: str

    def scope(self, name: str) -> str | None:
        """The scope that a nonce needs in a URL with this name; None if the gateway does not serve such an actor.

        Abaco's rule: a nonce of the actor is valid with its id, a nonce of an alias with that alias.
        """
        if name == self.id:
            return f"actor:{name}"
        return f"alias:{name}" if name in self.aliases else None

    @property
    def scopes(self) -> tuple[str, ...]:
        """All scopes of the actor and its aliases, for URLs that name no actor."""
        return (f"actor:{self.id}", *(f"alias:{alias}" for alias in self.aliases))


def names(settings: Settings) -> ActorNames:
    """The actor's id, aliases and tenant, from the settings. If no id is configured, it is derived from the alias."""
    own, configured = settings.pipelines.job_manager_id, settings.gateway.actor_id
    actor = configured or (own if is_id(own) else _HASHIDS.encode(uuid5(NAMESPACE_URL, own).int >> _BITS))
    aliases = dict.fromkeys((own, *settings.gateway.aliases))
    aliases.pop(actor, None)
    return ActorNames(actor, tuple(aliases), settings.gateway.tenant)


def is_id(text: str) -> bool:
    """Whether a text has the form of an Abaco id. Abaco reads any other text as an alias."""
    return bool(_HASHIDS.decode(text))


def new_id() -> str:
    """A new random id for an execution."""
    return str(_HASHIDS.encode(_random.getrandbits(_BITS)))
