"""What is counted in a source file. Pure."""

import ast
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

FIGURES = ("files", "unparsable", "bytes", "lines", "functions", "classes", "imports")


def figures_of(path: Path) -> dict[str, int]:
    """The figures of one file. One that does not parse counts as unparsable, with its bytes."""
    source = path.read_bytes()
    found = Counter(files=1, bytes=len(source))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return dict(found + Counter(unparsable=1))
    found["lines"] = source.count(b"\n")
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found["functions"] += 1
            case ast.ClassDef():
                found["classes"] += 1
            case ast.Import() | ast.ImportFrom():
                found["imports"] += 1
    return dict(found)


def summed(many: Iterable[dict[str, int]]) -> dict[str, int]:
    """The sums of many files' figures."""
    total: Counter[str] = Counter()
    for figures in many:
        total.update(figures)
    return {name: total[name] for name in FIGURES}


def differences(found: dict[str, int], expected: dict[str, int]) -> list[str]:
    """What is wrong, in words; empty when nothing is."""
    return [
        f"{name}: the tasks counted {found.get(name)}, directly it is {expected[name]}"
        for name in expected
        if found.get(name) != expected[name]
    ]
