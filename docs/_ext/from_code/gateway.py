"""Builds a gateway without starting it, to read its routes and metrics. It needs no database."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from fastapi import FastAPI
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import BaseRoute, Mount, Route

from pipelinejobs import bootstrap, runtime
from pipelinejobs.gateway.app import application
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.settings import CONFIG, load

_NOWHERE = {"_REACTOR_MONGODB_URI": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=1"}


class Path(NamedTuple):
    """A route: its full path, its methods, and FastAPI's object for it."""

    path: str
    methods: tuple[str, ...]
    route: Route


@contextmanager
def _parts() -> Iterator[GatewayParts]:
    parts = GatewayParts(bootstrap.services(load(_NOWHERE, CONFIG), runtime.context({"LOCALONLY": "1"})))
    try:
        yield parts
    finally:
        parts.close(1)


@cache
def _described() -> tuple[tuple[Path, ...], dict[str, Any], tuple[Metric, ...]]:
    with _parts() as parts:
        app: FastAPI = application(parts)
        found = tuple(_walk(app.routes))
        text = parts.metrics.text().decode()
        return found, app.openapi(), tuple(text_string_to_metric_families(text))


def _walk(found: Iterable[BaseRoute], prefix: str = "") -> Iterator[Path]:
    for route in found:
        if isinstance(route, Route):
            yield Path(prefix + route.path, tuple(sorted(route.methods or ())), route)
        elif isinstance(route, Mount):
            yield from _walk(_inside(route.app), prefix + route.path)
        else:  # the object in which newer versions of FastAPI keep an included router
            inner: Any = route
            yield from _walk(inner.original_router.routes, prefix + inner.include_context.prefix)


def _inside(app: Any) -> Iterable[BaseRoute]:
    """The routes of a mounted application, which middleware may wrap."""
    while not hasattr(app, "routes"):
        app = app._app
    found: Iterable[BaseRoute] = app.routes
    return found


def routes() -> tuple[Path, ...]:
    """Every route, including those that are not in openapi.json."""
    return _described()[0]


def openapi() -> dict[str, Any]:
    """The content of `/openapi.json`."""
    return _described()[1]


def metrics() -> tuple[Metric, ...]:
    """Every metric, as Prometheus reads it. Metrics that need the database have no samples."""
    return _described()[2]
