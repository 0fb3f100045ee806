"""The directive `.. from-code:: NAME`: inserts a part of the reference, generated from the code.

Facts that the code knows are not copied into a page by hand. `PARTS` maps each NAME to the function that returns the
part as reStructuredText. There is one module for each page of the reference.

The client and the errors are described by sphinx.ext.autodoc. For the rest there is no library (settings, verdicts,
metrics, lifecycle, stored data), or the library made the page worse: the reasons are in commands.py, endpoints.py and
messages.py.
"""

from collections.abc import Callable
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from from_code import (
    commands,
    endpoints,
    lifecycle,
    messages,
    metrics,
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
}


class FromCode(SphinxDirective):
    """The directive. Its argument is a name in `PARTS`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of the part."""
        name = self.arguments[0]
        if name not in PARTS:
            raise self.error(f"from-code knows no part {name!r}; it knows {', '.join(PARTS)}")
        self.env.note_reread()  # the code may have changed although the page's file has not
        return self.parse_text_to_nodes(PARTS[name](), allow_section_headings=True)


class Lifecycle(SphinxDirective):
    """The directive `.. lifecycle-picture::`: the picture that the gateway's pages show, of no particular job."""

    def run(self) -> list[nodes.Node]:
        """The picture."""
        self.env.note_reread()
        return lifecycle.picture()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Called by Sphinx."""
    app.add_directive("from-code", FromCode)
    app.add_directive("lifecycle-picture", Lifecycle)
    return {"parallel_read_safe": True, "env_version": 1}
