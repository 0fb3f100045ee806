"""The lifecycle as a picture: the one that the gateway's pages show, of no job."""

import re

from docutils import nodes

from pipelinejobs.gateway.pages import lifecycle_layout
from pipelinejobs.gateway.pages.lifecycle_picture import picture
from pipelinejobs.gateway.pages.templates import environment

_TITLE = "The lifecycle: each state, and the events that lead from one to another"


def drawn() -> list[nodes.Node]:
    """The picture. Where pages are not built as HTML there is none; the table of transitions says the same."""
    page = environment().get_template("picture.html").render(picture=picture((), ""), layout=lifecycle_layout)
    found = re.search(r"<svg .*</svg>", page, re.DOTALL)
    assert found is not None
    svg = re.sub(r"(<title [^>]*>).*?(</title>)", rf"\1{_TITLE}\2", found[0])
    svg = re.sub(r"<desc .*?</desc>", "", svg, flags=re.DOTALL).replace(" picture-words", "")
    return [nodes.raw("", f'<div class="lifecycle">{svg}</div>', format="html")]
