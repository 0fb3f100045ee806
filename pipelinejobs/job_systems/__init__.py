"""Asks the job systems for the status of one of their jobs. Nothing else in this project asks them anything.

A question is one GET request, to a host that only the settings name; its answer changes nothing here. The client
libraries were tried first. agavepy speaks https only, omits the token for a URL with a port and writes renewed tokens
to disk; tapipy verifies and caches the API descriptions of sixteen services to make one request. Neither has a time
limit, and both follow redirects, so `util.http_json` makes the requests.
"""

from collections.abc import Mapping

from pipelinejobs.job_systems.access_token import AccessToken
from pipelinejobs.job_systems.agave import Agave, AgaveClient
from pipelinejobs.job_systems.answer import Answer, Found, unanswered
from pipelinejobs.job_systems.asker import Asker
from pipelinejobs.job_systems.host import Host
from pipelinejobs.job_systems.refresh_token import Keeper
from pipelinejobs.job_systems.tapis import Tapis, TapisUser
from pipelinejobs.settings.reconcile import ReconcileSection
from pipelinejobs.util import http_client
from pipelinejobs.util.deadline import Deadline

__all__ = ["Answer", "Found", "JobSystems", "from_settings"]


class JobSystems:
    """The job systems that can be asked. May be used by several threads; has none of its own."""

    def __init__(self, askers: Mapping[str, Asker]) -> None:
        """
        Args:
            askers: by the system's name in reports (`messages.report`).
        """
        self._askers = dict(askers)

    @property
    def names(self) -> frozenset[str]:
        """The systems that can be asked: of `agave`, `aloe` and `tapis` those with a server in the settings."""
        return frozenset(self._askers)

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that can be asked, each by the name of its first system (`server_of`)."""
        return tuple(sorted({server for name in self.names if (server := self.server_of(name)) is not None}))

    def server_of(self, system: str) -> str | None:
        """The server at which this system is asked, by the name of its first system; None if none is configured."""
        asker = self._askers.get(system)
        return min((name for name, other in self._askers.items() if other is asker), default=None)

    def ask(self, system: str, id: str, deadline: Deadline) -> Answer:  # noqa: A002 - the word for it
        """Asks for the status of one job. Waits for its turn, and for the answer, until the deadline at most.

        Args:
            system: the job system's name.
            id: the job's id there. It may come from outside; only the form of an id gets into a request.
            deadline: when the answer is no longer wanted.

        Returns:
            what was found; whatever a server does, this raises nothing.
        """
        why = self.unaskable(system, id)
        return self._askers[system].ask(id, deadline) if why is None else unanswered(why)

    def unaskable(self, system: str, id: str) -> str | None:  # noqa: A002
        """Why this job can never be asked for with these settings; None if it can."""
        asker = self._askers.get(system)
        return f"no server of {system} is configured (settings reconcile.*)" if asker is None else asker.unaskable(id)

    def obstacle(self, system: str) -> str | None:
        """Why a question would not be asked now, and for how many seconds; None if it would be."""
        asker = self._askers.get(system)
        return asker.obstacle() if asker is not None else self.unaskable(system, "")


def from_settings(reconcile: ReconcileSection, keeper: Keeper | None = None) -> JobSystems:
    """The job systems that the settings describe; systems at the same host share its pace.

    Args:
        reconcile: the settings.
        keeper: keeps the newest refresh token for other processes; None: each keeps its own in memory.
    """
    hosts: dict[str, Host] = {}

    def host(server: str) -> Host:
        where = http_client.target(server).where.lower()
        return hosts.setdefault(where, Host(where, reconcile.rate))

    askers: dict[str, Asker] = {}
    if reconcile.agave_server is not None:
        agave = Agave(reconcile.agave_server)
        client = None
        if reconcile.agave_client_key and reconcile.agave_client_secret and reconcile.agave_refresh_token:
            client = AgaveClient(
                agave, reconcile.agave_client_key, reconcile.agave_client_secret, reconcile.agave_refresh_token, keeper
            )
        asker = Asker(agave, AccessToken(reconcile.agave_token, client), host(agave.server))
        askers |= {"agave": asker, "aloe": asker}
    if reconcile.tapis_server is not None:
        tapis = Tapis(reconcile.tapis_server)
        user = None
        if reconcile.tapis_user and reconcile.tapis_password:
            user = TapisUser(tapis, reconcile.tapis_user, reconcile.tapis_password)
        askers["tapis"] = Asker(tapis, AccessToken(reconcile.tapis_token, user), host(tapis.server))
    return JobSystems(askers)
