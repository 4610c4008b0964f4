"""Properties of generated Python, by its syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from qtui.core.duel.suite.checks import Code, Mark
from qtui.core.text import clean_name

MOST_CHARACTERS = 64 << 10
_FENCE = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_NODES: dict[str, tuple[type[ast.AST], ...]] = {
    "for": (ast.For, ast.AsyncFor), "while": (ast.While,), "if": (ast.If, ast.IfExp),
    "import": (ast.Import, ast.ImportFrom), "try": (ast.Try,), "lambda": (ast.Lambda,), "class": (ast.ClassDef,),
    "comprehension": (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), "return": (ast.Return,),
    "yield": (ast.Yield, ast.YieldFrom), "global": (ast.Global, ast.Nonlocal), "assert": (ast.Assert,),
    "async": (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await),
}  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_property(name: str) -> bool:
    """Tell whether `require` and `forbid` may name this."""
    return name in _NODES or name in ("recursion", "docstring", "annotations") or bool(re.fullmatch(r"call:\w+", name))


def python_of(answer: str) -> str:
    """Return the Python of an answer: its fenced blocks, else all of it."""
    blocks = _FENCE.findall(answer)
    python = [body for label, body in blocks if label.lower() in ("python", "py", "python3")]
    return "\n".join(python or [body for _, body in blocks] or [answer])


def judge_code(check: Code, answer: str) -> Mark:
    """Judge the properties; nothing is run."""
    source = python_of(answer)
    if len(source) > MOST_CHARACTERS:
        return Mark(False, f"the code is longer than {MOST_CHARACTERS} characters")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return Mark(False, f"it does not parse: {clean_name(error.msg, 80)} in line {error.lineno or '?'}")
    except (ValueError, RecursionError, MemoryError):
        return Mark(False, "it does not parse")
    function = _function(tree, check.function)
    if check.function and function is None:
        return Mark(False, f"it defines no {check.function}")
    if function is not None and check.parameters is not None:
        given = function.args
        count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
        if count != check.parameters:
            return Mark(False, f"{check.function} takes {count} parameters, not {check.parameters}")
    lines = sum(bool(line.strip()) and not line.strip().startswith("#") for line in source.splitlines())
    if check.most_lines is not None and lines > check.most_lines:
        return Mark(False, f"it has {lines} lines of code, at most {check.most_lines} were wanted")
    has = _properties(tree, function)
    for name in check.require:
        if not has(name):
            return Mark(False, f"it has no {name}")
    for name in check.forbid:
        if has(name):
            return Mark(False, f"it has {name}, which was not allowed")
    return Mark(True)


def _function(tree: ast.Module, name: str) -> Function | None:
    """Return the function of a name, or the first one where none is asked for."""
    found = (node for node in ast.walk(tree) if isinstance(node, Function) and name in ("", node.name))
    return next(found, None)


def _properties(tree: ast.Module, function: Function | None) -> Callable[[str], bool]:
    """Return what tells whether the code has a property."""
    nodes = list(ast.walk(tree))
    calls = {
        target.id if isinstance(target, ast.Name) else target.attr
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(target := node.func, ast.Name | ast.Attribute)
    }

    def has(name: str) -> bool:
        if name.startswith("call:"):
            return name.removeprefix("call:") in calls
        if name == "recursion":
            return function is not None and any(
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function.name
                for node in ast.walk(function)
            )
        if name == "docstring":
            return function is not None and ast.get_docstring(function) is not None
        if name == "annotations":
            return (
                function is not None
                and function.returns is not None
                and all(argument.annotation is not None for argument in function.args.args)
            )
        return any(isinstance(node, _NODES[name]) for node in nodes)

    return has
