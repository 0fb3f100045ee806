"""A mutant: the product broken on purpose, in one place."""

import ast
from dataclasses import dataclass
from pathlib import Path

from tools.mutants import syntax
from tools.mutants.syntax import DoesNotApply, NoSuchPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """The product broken on purpose, in one place.

    Attributes:
        promises: what it breaks: ids of the fault list, promises (P), faults (F) and attacks (S).
        what: what the broken product does, in words.
        where: the file, and in Python after a colon the function, method, class or constant: `a/b.py:Class.method`.
        old: the expression or the statements that are replaced; they must occur there once. Python is compared as
            syntax: layout, quotes, parentheses and comments do not count, and `...` stands for any expression. Other
            files are compared as text.
        new: what takes their place; `pass` for statements that are left out.
        tests: pytest's names of tests; each of them, run alone, has to fail.
    """

    promises: tuple[str, ...]
    what: str
    where: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file that is changed."""
        return self.where.partition(":")[0]

    def applied_to(self, root: Path) -> str:
        """The file as it reads when it is changed.

        Args:
            root: the directory of the source.

        Raises:
            DoesNotApply: the source does not hold what is replaced; the message says what is gone, and what is nearest.
        """
        name = self.where.partition(":")[2]
        try:
            text = (root / self.file).read_text("utf-8")
            if self.file.endswith(".py"):
                return syntax.replaced(text, name, self.old, self.new)
        except FileNotFoundError:
            raise DoesNotApply(f"there is no {self.file}{_elsewhere(root, name, self.old)}") from None
        except NoSuchPlace as error:
            raise DoesNotApply(f"{self.file}: {error}{_elsewhere(root, name, self.old)}") from None
        except DoesNotApply as error:
            raise DoesNotApply(f"{self.where}: {error}") from None
        if text.count(self.old) != 1:
            near = syntax.nearest(self.old, text.splitlines())
            raise DoesNotApply(f"{self.file} holds `{self.old}` {text.count(self.old)} times; nearest is `{near}`")
        return text.replace(self.old, self.new)


def _elsewhere(root: Path, name: str, old: str) -> str:
    """Where in the product it may be that is not in its place: what is replaced, else a function of that name."""
    files = [path for top in ("fsm", "pipelinejobs") for path in sorted((root / top).rglob("*.py"))] if name else []
    texts = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in files}
    if places := [f"{path}:{place}" for path, text in texts.items() for place in syntax.holders(text, old)]:
        return f"; what is replaced is in {', '.join(places)}"
    last = name.rpartition(".")[2]
    places = [
        f"{path}:{place}"
        for path, text in texts.items()
        for place, _ in syntax.names(ast.parse(text))
        if place.rpartition(".")[2] == last
    ]
    return f"; of that name is {', '.join(places)}" if places and not last.startswith("__") else ""
