"""Finds a piece of Python by what it says, and replaces it where it stands.

`ast` does it: nodes are compared, the text of the one that is found is replaced, and the rest of the file stays as it
is. libcst compares white space too and wants patterns written as matchers; ast-grep tells `'a'` from `"a"`.
"""

import ast
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from textwrap import dedent, indent
from typing import TypeAlias

_Nodes: TypeAlias = list[ast.expr] | list[ast.stmt]


class DoesNotApply(Exception):
    """The source does not hold what was to be replaced."""


class NoSuchPlace(DoesNotApply):
    """The module does not hold the function, class or constant."""


def replaced(text: str, name: str, old: str, new: str) -> str:
    """A module in which `new` has taken the place of `old`.

    Args:
        text: the module.
        name: the function, class or constant that holds `old`, dotted; empty for the whole module.
        old: an expression or statements, which must occur there once; `...` stands for any expression.
        new: what takes the place.

    Raises:
        NoSuchPlace: there is no such function, class or constant.
        DoesNotApply: it does not hold `old` once; the message says what is nearest.
    """
    module, pattern = ast.parse(text), _parsed(old)
    place = _place(module, name)
    candidates = list(_candidates(place, pattern))
    found = [nodes for nodes in candidates if _same(pattern, nodes)]
    if len(found) != 1:
        what = f"`{dedent(old).strip()}` has to be there once, and is"
        if found:
            raise DoesNotApply(f"{what} in lines {', '.join(str(nodes[0].lineno) for nodes in found)}")
        near = nearest(_unparsed(pattern), map(_unparsed, candidates))
        elsewhere = "".join(f"; {other} has it" for other in holders(text, old))
        raise DoesNotApply(f"{what} not there, nearest is `{near}`{elsewhere}")
    first, last = found[0][0], found[0][-1]
    start, end = _offset(text, first.lineno, first.col_offset), _offset(text, last.end_lineno, last.end_col_offset)
    return text[:start] + _indented(new, first) + text[end:]


def holders(text: str, old: str) -> list[str]:
    """The functions and constants of a module that hold an expression or statements."""
    pattern = _parsed(old)
    found = [
        name for name, node in names(ast.parse(text)) if any(_same(pattern, one) for one in _candidates(node, pattern))
    ]
    return [name for name in found if not any(other.startswith(f"{name}.") for other in found)]


def names(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The functions and classes of a module, and the constants outside of functions, each with its dotted name."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield prefix + name, node
                yield from names(node, f"{prefix}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if isinstance(tree, ast.Module | ast.ClassDef):
                    yield prefix + name, node


def nearest(wanted: str, present: Iterable[str]) -> str:
    """The one of some texts that is most like another."""
    return max(present, key=lambda one: SequenceMatcher(None, one, wanted, autojunk=False).ratio(), default="")


def _place(module: ast.Module, name: str) -> ast.AST:
    if not name:
        return module
    present = dict(names(module))
    if name not in present:
        raise NoSuchPlace(f"there is no {name}; nearest is {nearest(name, present)}")
    return present[name]


def _parsed(text: str) -> _Nodes:
    """One expression, or statements."""
    body = ast.parse(dedent(text)).body
    return [body[0].value] if len(body) == 1 and isinstance(body[0], ast.Expr) else body


def _candidates(place: ast.AST, pattern: _Nodes) -> Iterator[_Nodes]:
    """All expressions of a place; or as many statements one after the other as the pattern has."""
    for node in ast.walk(place):
        if isinstance(pattern[0], ast.expr):
            if isinstance(node, ast.expr):
                yield [node]
            continue
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield from (block[at : at + len(pattern)] for at in range(len(block) - len(pattern) + 1))


def _same(pattern: object, node: object) -> bool:
    """Whether two pieces of syntax say the same."""
    if isinstance(pattern, ast.Constant) and pattern.value is ...:
        return isinstance(node, ast.expr)
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, ast.AST):
        return all(_same(value, getattr(node, field)) for field, value in ast.iter_fields(pattern))
    if isinstance(pattern, list) and isinstance(node, list):
        return len(pattern) == len(node) and all(map(_same, pattern, node))
    return pattern == node


def _unparsed(nodes: _Nodes) -> str:
    return "\n".join(map(ast.unparse, nodes))


def _offset(text: str, line: int | None, column: int | None) -> int:
    """Where a position of `ast`, in UTF-8 from the start of its line, is in the text."""
    lines = text.splitlines(keepends=True)[: line or 0]
    return len("".join(lines[:-1])) + len(lines[-1].encode()[:column].decode())


def _indented(new: str, first: ast.expr | ast.stmt) -> str:
    """The new text as it stands in the place of the old: an expression in parentheses, statements at their depth."""
    if isinstance(first, ast.expr) and new != "pass":
        return f"({new})"
    return indent(dedent(new).strip(), " " * first.col_offset).lstrip()
