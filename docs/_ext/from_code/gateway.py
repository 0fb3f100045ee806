"""A gateway that is put together and never started: its routes and its metrics are looked at, no database is asked."""

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
from pipelinejobs.gateway.service import Service
from pipelinejobs.settings import CONFIG, load

_NOWHERE = {"_REACTOR_MONGODB_URI": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=1"}


class Path(NamedTuple):
    """A route: its whole path, its methods, and what FastAPI knows of it."""

    path: str
    methods: tuple[str, ...]
    route: Route


@contextmanager
def _service() -> Iterator[Service]:
    service = Service(bootstrap.services(load(_NOWHERE, CONFIG), runtime.context({"LOCALONLY": "1"})))
    try:
        yield service
    finally:
        service.close(1)


@cache
def _described() -> tuple[tuple[Path, ...], dict[str, Any], tuple[Metric, ...]]:
    with _service() as service:
        app: FastAPI = application(service)
        found = tuple(_walk(app.routes))
        text = service.metrics.text().decode()
        return found, app.openapi(), tuple(text_string_to_metric_families(text))


def _walk(found: Iterable[BaseRoute], prefix: str = "") -> Iterator[Path]:
    for route in found:
        if isinstance(route, Route):
            yield Path(prefix + route.path, tuple(sorted(route.methods or ())), route)
        elif isinstance(route, Mount):
            yield from _walk(_inside(route.app), prefix + route.path)
        else:  # what newer versions of FastAPI hold an included router in
            inner: Any = route
            yield from _walk(inner.original_router.routes, prefix + inner.include_context.prefix)


def _inside(app: Any) -> Iterable[BaseRoute]:
    """The routes of an application that is mounted, in whatever it is wrapped."""
    while not hasattr(app, "routes"):
        app = app._app
    found: Iterable[BaseRoute] = app.routes
    return found


def routes() -> tuple[Path, ...]:
    """Every route, also those that openapi.json leaves out."""
    return _described()[0]


def openapi() -> dict[str, Any]:
    """The document that `/openapi.json` answers."""
    return _described()[1]


def metrics() -> tuple[Metric, ...]:
    """Every metric, as Prometheus reads it; those that are asked of the database have no samples."""
    return _described()[2]
