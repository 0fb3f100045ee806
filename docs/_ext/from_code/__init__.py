"""`.. from-code:: NAME`: a part of the reference that is read out of the code while the pages are built.

Nothing that the code knows is copied into a page by hand. A module here makes reStructuredText of one thing, and
`PARTS` says which name stands for which.
"""

from collections.abc import Callable
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from from_code import (
    client,
    commands,
    endpoints,
    errors,
    lifecycle,
    messages,
    metrics,
    picture,
    settings,
    stored,
    verdicts,
)

PARTS: Final[dict[str, Callable[[], str]]] = {
    "settings": settings.page,
    "pins": settings.pins,
    "variables": settings.variables,
    "verdicts": verdicts.table_of_verdicts,
    "command-exit-codes": verdicts.of_commands,
    "verdict-line": verdicts.line,
    "states": lifecycle.states,
    "events": lifecycle.events,
    "transitions": lifecycle.transitions,
    "parameters": messages.parameters,
    "statuses": messages.statuses,
    "schema": messages.schema,
    "metrics": metrics.listed,
    "commands": commands.page,
    "endpoints": endpoints.page,
    "answers": endpoints.problems,
    "collections": stored.collections,
    "job-fields": stored.job_fields,
    "errors": errors.tree,
    "client": client.public,
    "client-errors": client.errors,
}


class FromCode(SphinxDirective):
    """The directive. Its one argument is a name of `PARTS`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of the part."""
        name = self.arguments[0]
        if name not in PARTS:
            raise self.error(f"from-code knows no part {name!r}; it knows {', '.join(PARTS)}")
        self.env.note_reread()  # a page is as old as the code, and not as its file
        return self.parse_text_to_nodes(PARTS[name](), allow_section_headings=True)


class Lifecycle(SphinxDirective):
    """`.. lifecycle-picture::`, drawn from the table of the lifecycle."""

    def run(self) -> list[nodes.Node]:
        """The picture."""
        self.env.note_reread()
        return picture.drawn()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Called by Sphinx."""
    app.add_directive("from-code", FromCode)
    app.connect("autodoc-process-docstring", client.as_typed)
    app.add_directive("lifecycle-picture", Lifecycle)
    return {"parallel_read_safe": True, "env_version": 1}
