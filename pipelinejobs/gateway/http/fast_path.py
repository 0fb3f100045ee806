"""The fast path of messages: without FastAPI's routing, which would take longer than handling the message."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send


class FastPath:
    """Calls the handler of messages directly. Every other request goes through FastAPI."""

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
            actors: the actor's name, by the path to which its messages are posted.
            post: answers a message; called with the request and the actor's name.
            unexpected: answers if `post` raises an exception.
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
