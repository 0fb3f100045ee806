"""Messages that skip the framework: finding their route and its dependencies would cost more than handling them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send


class FastPath:
    """Calls the handler of messages directly. Every other request goes through the framework."""

    def __init__(
        self,
        app: FastAPI,
        actors: Mapping[str, str],
        post: Callable[[Request, str], Awaitable[Response]],
        unexpected: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        """
        Args:
            app: the application, for all other requests.
            actors: the actor's name in each path to which messages are posted.
            post: answers the request of a message, with the actor's name.
            unexpected: answers an error that `post` did not expect.
        """
        self._app: Any = app
        self._actors = actors
        self._post = post
        self._unexpected = unexpected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = self._actors.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        request = Request(scope, receive)
        try:
            response = await self._post(request, name)
        except Exception as error:
            response = await self._unexpected(request, error)
        await response(scope, receive, send)
