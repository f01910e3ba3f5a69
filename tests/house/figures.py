"""`make figures`: how large the house is, room by room, and how it is written. Facts to watch, not a score.

Migrations are generated and left out. Nothing outside the standard library is used.
"""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("hoopweb", "gateway", "audit", "approvals", "bench", "tests")
_NO_CODE = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file: its lines of code (docstrings apart), of comment, and the length of each function."""

    path: Path
    length: int
    code: int
    comments: int
    functions: tuple[int, ...]
    tests: int

    @property
    def room(self) -> str:
        parts = self.path.parts
        return f"{parts[0]}.{parts[1]}" if parts[0] == "gateway" and len(parts) > 2 else parts[0]


def modules(root: Path) -> Iterator[Module]:
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield measure(path.read_text(), path.relative_to(root))


def measure(source: str, path: Path) -> Module:
    """Count one file; raises SyntaxError on a file that is no Python."""
    tree = ast.parse(source)
    code, comments = set[int](), set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return Module(
        path=path,
        length=source.count("\n"),
        code=len(code - set(_docstring_lines(tree))),
        comments=len(comments),
        functions=tuple((node.end_lineno or node.lineno) - node.lineno + 1 for node in functions),
        tests=sum(node.name.startswith("test_") for node in functions),
    )


def _docstring_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)


def row(name: str, found: Iterable[Module]) -> str:
    files = list(found)
    lengths = sorted(length for module in files for length in module.functions) or [0]
    return (
        f"{name:22}{len(files):7}{sum(module.code for module in files):8}{sum(module.comments for module in files):10}"
        f"{max(module.length for module in files):14}{statistics.median(lengths):11.0f}"
        f"{lengths[int(len(lengths) * 0.9)]:8}{lengths[-1]:6}{sum(module.tests for module in files):8}"
    )


def main() -> None:
    found = list(modules(CHECKOUT))
    print(f"{'room':22}  files    code  comments  longest file  fn median  fn 90%   max   tests")
    for room in sorted({module.room for module in found}):
        print(row(room, (module for module in found if module.room == room)))
    product = [module for module in found if module.room not in {"tests", "bench"}]
    tests = [module for module in found if module.room == "tests"]
    print(row("product together", product))
    ratio = sum(module.code for module in tests) / max(1, sum(module.code for module in product))
    print(f"\n{ratio:.2f} lines of test for each line of product")


if __name__ == "__main__":
    main()
