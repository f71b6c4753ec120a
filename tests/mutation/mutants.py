"""PURE. Mutants of a module: one small change of meaning each.

The changes are those that mutation tools have in common: comparisons, arithmetic, logic, numbers,
conditions turned round, statements left out. Not changed are texts, annotations, decorators,
assertions (they tell the type checker what is known; `strict=` of zip is one), log lines, and
numbers that only say how long or how often something is tried (`..._SECONDS = 10` or
`..._SECONDS_MAX = 10` at the top of a module).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COMPARISONS: Final[dict[type[ast.cmpop], str]] = {
    **{ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "=="},
    **{ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in"},
}
ARITHMETIC: Final[dict[type[ast.operator], str]] = {
    **{ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "*", ast.Div: "*"},
    **{ast.Mod: "*", ast.BitAnd: "|", ast.BitOr: "&", ast.BitXor: "&"},
    **{ast.LShift: ">>", ast.RShift: "<<"},
}
#: Parts of the syntax that are for readers and the type checker; what a class derives from, too.
NO_MEANING: Final = ("annotation", "returns", "decorator_list", "type_params", "bases")
TUNING_NAMES: Final = ("_SECONDS", "_TIMEOUT", "_RETRIES", "_ATTEMPTS")


@dataclass(frozen=True, slots=True)
class Mutant:
    """``new`` put where ``old`` stands: bytes from ``start`` to ``end`` of the file's text."""

    file: str
    line: int
    kind: str
    old: str
    new: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """Say which one it is, in a line."""
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}:{self.line} {self.kind}: {shortened(old)} -> {shortened(new)}"

    def planted_in(self, text: str) -> str:
        """Give the file's text with the change."""
        raw = text.encode()
        return (raw[: self.start] + self.new.encode() + raw[self.end :]).decode()


def shortened(text: str, length: int = 70) -> str:
    """Cut a long text."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def mutants_of(file: str, text: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its text. Raises `SyntaxError`."""
    tree = ast.parse(text)
    found = list(_Finder(file, text).of(tree))
    return sorted(set(found), key=lambda mutant: (mutant.start, mutant.end, mutant.new))


class _Finder:
    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._raw = text.encode()
        starts = [0]
        for line in self._raw.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self._starts = starts

    def of(self, node: ast.AST) -> Iterator[Mutant]:
        if _left_alone(node):
            return
        yield from self._here(node)
        for name, value in ast.iter_fields(node):
            if name in NO_MEANING:
                continue
            children = value if isinstance(value, list) else [value]
            for child in children:
                if isinstance(child, ast.AST):
                    yield from self.of(child)

    def _here(self, node: ast.AST) -> Iterator[Mutant]:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=rights):
                for before, op, after in zip([left, *rights], ops, rights, strict=False):
                    yield self._between(before, after, "comparison", COMPARISONS[type(op)])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                if not (_is_text(left) or _is_text(right)):
                    yield self._between(left, right, "arithmetic", ARITHMETIC[type(op)])
            case ast.BoolOp(op=op, values=values):
                word = "or" if isinstance(op, ast.And) else "and"
                for before, after in zip(values, values[1:], strict=False):
                    yield self._between(before, after, "logic", word)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                yield self._instead(node, "negation", self._text(operand))
            case ast.Constant(value=bool() as value):
                yield self._instead(node, "constant", str(not value))
            case ast.Constant(value=int() | float() as value):
                yield self._instead(node, "number", str(value + 1))
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield self._instead(test, "condition", f"(not ({self._text(test)}))")
            case ast.stmt():
                yield from self._statement(node)

    def _statement(self, node: ast.stmt) -> Iterator[Mutant]:
        match node:
            case (
                ast.Expr(value=ast.Call() | ast.Await())
                | ast.AugAssign()
                | ast.Raise()
                | ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_])
            ):
                yield self._instead(node, "left out", "pass")
            case ast.Continue():
                yield self._instead(node, "loop", "break")
            case ast.Break():
                yield self._instead(node, "loop", "continue")
            # True and False are turned round as constants; None would be another False.
            case ast.Return(value=ast.expr() as value) if not _is_constant(
                value, None, True, False
            ):
                yield self._instead(value, "return", "None")

    def _place(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self._place(node.lineno, node.col_offset),
            self._place(node.end_lineno, node.end_col_offset),
        )

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self._raw[start:end].decode()

    def _instead(self, node: ast.AST, kind: str, new: str) -> Mutant:
        assert isinstance(node, ast.expr | ast.stmt)
        start, end = self._span(node)
        old = self._raw[start:end].decode()
        return Mutant(self._file, node.lineno, kind, old, new, start, end)

    def _between(self, before: ast.expr, after: ast.expr, kind: str, new: str) -> Mutant:
        """Change the operator between two operands, whatever brackets and line ends are there."""
        start, end = self._span(before)[1], self._span(after)[0]
        between = self._raw[start:end].decode()
        bare = between.strip(" ()\n\t\\")
        at = start + len(between[: between.index(bare)].encode())
        line = before.end_lineno or before.lineno
        return Mutant(self._file, line, kind, bare, new, at, at + len(bare.encode()))


def _left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.keyword(arg="strict"):
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="logger")))):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name.isupper() and name.removesuffix("_MAX").removesuffix("_MIN").endswith(
                TUNING_NAMES
            )
    return False


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _is_constant(node: ast.expr, *values: object) -> bool:
    return isinstance(node, ast.Constant) and any(node.value is value for value in values)
