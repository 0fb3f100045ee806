"""`/pages/static/...`: the style sheet, the script and the icon. They need no sign-in."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_DIRECTORY: Final = Path(__file__).parent / "static"
_KINDS: Final = {"pages.css": "text/css", "pages.js": "text/javascript", "icon.svg": "image/svg+xml"}


@cache
def content(name: str) -> bytes:
    """The bytes of a static file."""
    return (_DIRECTORY / name).read_bytes()


@cache
def version(name: str) -> str:
    """The version of a static file. It is in the file's URL, so that browsers load a changed file again."""
    return sha256(content(name)).hexdigest()[:16]


async def get(request: Request) -> Response:
    """Answers with a static file; browsers may cache it if the URL names its version."""
    name = request.path_params["name"]
    if name not in _KINDS:
        raise HTTPException(404)
    named = request.query_params.get("v")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"} if named == version(name) else None
    return Response(content(name), media_type=_KINDS[name], headers=headers)


ROUTES: Final = [Route("/static/{name}", get, methods=["GET"])]
