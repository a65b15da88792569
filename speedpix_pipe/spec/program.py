"""From a syntax tree to a closure that evaluates it.

Nothing of Python can be reached from an expression, because only what is written here is done: there is no
attribute access but a mapping's keys and a file's facts, and no call but functions by name and a text's methods.
A closure answers the value, or `Undefined` where the node may; `strict` raises that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.spec import operators
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.checks import check
from speedpix_pipe.spec.filters import apply_filter
from speedpix_pipe.spec.filters_text import call_method
from speedpix_pipe.spec.functions import FUNCTIONS, call_function
from speedpix_pipe.spec.names import CONSTANTS, root
from speedpix_pipe.spec.values import Undefined, described, sliced, subscript
from speedpix_pipe.spec.walk import Closure, followed, walk

_BINARY: dict[type[nodes.BinExpr], Callable[[Evaluation, Any, Any], Any]] = {
    nodes.Add: operators.add,
    nodes.Sub: operators.subtract,
    nodes.Mul: operators.multiply,
    nodes.Div: operators.divide,
    nodes.FloorDiv: operators.divide_whole,
    nodes.Mod: operators.remainder,
    nodes.Pow: operators.power,
}
_COMPARE: dict[str, Callable[[Evaluation, Any, Any], bool]] = {
    "eq": operators.equal,
    "ne": operators.unequal,
    "lt": operators.less,
    "lteq": operators.less_equal,
    "gt": operators.greater,
    "gteq": operators.greater_equal,
    "in": operators.contains,
    "notin": operators.outside,
}
# Nodes whose value is always there, or whose closure raises by itself.
_ALWAYS = (nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.BinExpr, nodes.UnaryExpr, nodes.Concat,
           nodes.Compare, nodes.Test, nodes.Call)  # fmt: skip


def strict(node: nodes.Node) -> Closure:
    """A closure that never answers Undefined."""
    closure = lenient(node)
    if isinstance(node, _ALWAYS) and not isinstance(node, nodes.And | nodes.Or):
        return closure

    def value(ev: Evaluation) -> Any:
        found = closure(ev)
        if found.__class__ is Undefined:
            raise found.error()
        return found

    return value


def lenient(node: nodes.Node) -> Closure:
    """A closure that may answer Undefined."""
    for kind in type(node).__mro__:
        make = _MAKERS.get(kind)
        if make is not None:
            return make(node)
    raise ExpressionError(f"{type(node).__name__.lower()} is no part of an expression")


def _name(node: nodes.Name) -> Closure:
    if node.name in CONSTANTS:
        return _constant(CONSTANTS[node.name])
    return root(node.name)


def _const(node: nodes.Const) -> Closure:
    return _constant(node.value)


def _constant(value: Any) -> Closure:
    return lambda _ev: value


def _getattr(node: nodes.Getattr) -> Closure:
    names: list[str] = []
    inner: nodes.Node = node
    while isinstance(inner, nodes.Getattr):
        names.append(inner.attr)
        inner = inner.node
    names.reverse()
    if isinstance(inner, nodes.Name) and inner.name not in CONSTANTS:
        return walk(inner.name, names)
    return followed(lenient(inner), names, "the value")


def _getitem(node: nodes.Getitem) -> Closure:
    of = lenient(node.node)
    owner = _written(node.node)
    if isinstance(node.arg, nodes.Slice):
        bounds = [
            _constant(None) if one is None else strict(one) for one in (node.arg.start, node.arg.stop, node.arg.step)
        ]

        def part(ev: Evaluation) -> Any:
            value = of(ev)
            if value.__class__ is Undefined:
                return value
            return sliced(value, bounds[0](ev), bounds[1](ev), bounds[2](ev), owner)

        return part
    key = strict(node.arg)

    def element(ev: Evaluation) -> Any:
        value = of(ev)
        return value if value.__class__ is Undefined else subscript(value, key(ev), owner)

    return element


def _written(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_written(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem):
        return (
            f"{_written(node.node)}[{node.arg.value!r}]"
            if isinstance(node.arg, nodes.Const)
            else f"{_written(node.node)}[...]"
        )
    return "the value"


def _sequence(node: nodes.List | nodes.Tuple) -> Closure:
    elements = [strict(one) for one in node.items]

    def made(ev: Evaluation) -> list[Any]:
        return [_settled(ev, element(ev)) for element in elements]

    return made


def _settled(ev: Evaluation, value: Any) -> Any:
    """A range inside another value becomes the list that it stands for."""
    return ev.collect(value) if value.__class__ is range else value


def _dict(node: nodes.Dict) -> Closure:
    pairs = [(strict(pair.key), strict(pair.value)) for pair in node.items]

    def made(ev: Evaluation) -> dict[str, Any]:
        result = {}
        for key, value in pairs:
            name = key(ev)
            if not isinstance(name, str):
                raise ExpressionError(f"{described(name)} cannot be a name in an object; names are texts")
            result[name] = _settled(ev, value(ev))
        return result

    return made


def _binary(node: nodes.BinExpr) -> Closure:
    work, left, right = _BINARY[type(node)], strict(node.left), strict(node.right)
    return lambda ev: work(ev, left(ev), right(ev))


def _and(node: nodes.And) -> Closure:
    left, right = strict(node.left), strict(node.right)
    return lambda ev: left(ev) and right(ev)


def _or(node: nodes.Or) -> Closure:
    left, right = strict(node.left), strict(node.right)
    return lambda ev: left(ev) or right(ev)


def _not(node: nodes.Not) -> Closure:
    value = strict(node.node)
    return lambda ev: not value(ev)


def _negative(node: nodes.Neg) -> Closure:
    value = strict(node.node)
    return lambda ev: operators.negative(ev, value(ev))


def _positive(node: nodes.Pos) -> Closure:
    value = strict(node.node)
    return lambda ev: operators.positive(ev, value(ev))


def _concat(node: nodes.Concat) -> Closure:
    pieces = [strict(one) for one in node.nodes]
    return lambda ev: operators.joined(ev, [piece(ev) for piece in pieces])


def _compare(node: nodes.Compare) -> Closure:
    first = strict(node.expr)
    rest = [(_COMPARE[one.op], strict(one.expr)) for one in node.ops]
    if len(rest) == 1:
        (compare, second), *_ = rest
        return lambda ev: compare(ev, first(ev), second(ev))

    def chained(ev: Evaluation) -> bool:
        left = first(ev)
        for work, operand in rest:
            right = operand(ev)
            if not work(ev, left, right):
                return False
            left = right
        return True

    return chained


def _condition(node: nodes.CondExpr) -> Closure:
    test, yes = strict(node.test), lenient(node.expr1)
    if node.expr2 is None:
        no = _constant(
            Undefined("the condition is false and there is no `else`", "add `else null`, or what should stand there")
        )
    else:
        no = lenient(node.expr2)
    return lambda ev: yes(ev) if test(ev) else no(ev)


def _arguments(
    node: nodes.Filter | nodes.Test | nodes.Call,
) -> Callable[[Evaluation], tuple[list[Any], dict[str, Any]]]:
    args = [strict(one) for one in node.args]
    kwargs = [(str(pair.key), strict(pair.value)) for pair in node.kwargs]

    def given(ev: Evaluation) -> tuple[list[Any], dict[str, Any]]:
        return [arg(ev) for arg in args], {name: value(ev) for name, value in kwargs}

    return given


def _filter(node: nodes.Filter) -> Closure:
    assert node.node is not None  # only a filter block has none
    name = node.name
    if name in {"default", "d"}:
        return _default(node)
    of, given = strict(node.node), _arguments(node)

    def filtered(ev: Evaluation) -> Any:
        value = of(ev)
        args, kwargs = given(ev)
        return apply_filter(ev, name, value, args, kwargs)

    return filtered


def _default(node: nodes.Filter) -> Closure:
    """`x | default(y)`: y is looked at only where x is undefined, and may itself be."""
    assert node.node is not None
    of = lenient(node.node)
    named = {str(pair.key): pair.value for pair in node.kwargs}
    value_node = node.args[0] if node.args else named.get("default_value")
    flag_node = node.args[1] if len(node.args) > 1 else named.get("boolean")
    instead = lenient(value_node) if value_node is not None else _constant("")
    also_empty = strict(flag_node) if flag_node is not None else _constant(False)

    def value(ev: Evaluation) -> Any:
        found = of(ev)
        if found.__class__ is Undefined or (not found and also_empty(ev)):
            return instead(ev)
        return found

    return value


def _test(node: nodes.Test) -> Closure:
    of, name, given = lenient(node.node), node.name, _arguments(node)

    def tested(ev: Evaluation) -> bool:
        return check(ev, name, of(ev), given(ev)[0])

    return tested


def _call(node: nodes.Call) -> Closure:
    given = _arguments(node)
    target = node.node
    if isinstance(target, nodes.Name) and target.name in FUNCTIONS:
        function = target.name

        def called(ev: Evaluation) -> Any:
            args, kwargs = given(ev)
            return call_function(ev, function, args, kwargs)

        return called
    assert isinstance(target, nodes.Getattr)  # `references` lets nothing else through
    of, method = strict(target.node), target.attr

    def on_text(ev: Evaluation) -> Any:
        value = of(ev)
        if not isinstance(value, str):
            hint = f"write `| {method}`" if method in {"items", "replace", "join"} else "only texts have methods"
            raise ExpressionError(f"{described(value)} has no method `{method}`", hint=hint)
        args, kwargs = given(ev)
        return call_method(ev, value, method, args, kwargs)

    return on_text


_MAKERS: Mapping[type, Callable[[Any], Closure]] = {
    nodes.Name: _name,
    nodes.Const: _const,
    nodes.Getattr: _getattr,
    nodes.Getitem: _getitem,
    nodes.List: _sequence,
    nodes.Tuple: _sequence,
    nodes.Dict: _dict,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.BinExpr: _binary,
    nodes.Not: _not,
    nodes.Neg: _negative,
    nodes.Pos: _positive,
    nodes.Concat: _concat,
    nodes.Compare: _compare,
    nodes.CondExpr: _condition,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Call: _call,
}
