"""What an expression names: steps, params and the rest, each with its exact place; and what is wrong with it.

Works on the syntax tree alone. Whether a step or a param of that name exists is for `build` to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from jinja2 import nodes

from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.checks import CHECKS, DEFINED
from speedpix_pipe.spec.filters import FILTERS
from speedpix_pipe.spec.filters_text import TEXT_METHODS
from speedpix_pipe.spec.functions import FUNCTIONS
from speedpix_pipe.spec.mentions import NameUse, StepUse, TemplateError
from speedpix_pipe.spec.names import CONSTANTS, NAMES
from speedpix_pipe.spec.nearest import did_you_mean, listed
from speedpix_pipe.spec.syntax import Raw
from speedpix_pipe.spec.tasks import MANY, ONE

_TASK_NAMES = (*ONE, *MANY)
_METHOD_FILTERS = {"items": "items", "get": "default(...)", "format": "format(...)", "append": "list"}


@dataclass(slots=True)
class Findings:
    steps: list[StepUse] = field(default_factory=list)
    uses: list[NameUse] = field(default_factory=list)
    errors: list[TemplateError] = field(default_factory=list)


def inspect(tree: nodes.Expr, tokens: list[Raw]) -> Findings:
    """Everything that the expression names, and all its mistakes but those of syntax."""
    walk = _Walk(tokens)
    if isinstance(tree, nodes.Getattr) and isinstance(tree.node, nodes.Name) and tree.node.name == "steps":
        walk.step(tree, [tree])  # the one place where a bare `steps.X` may stand
    else:
        walk.visit(tree)
    return walk.found


class _Walk:
    def __init__(self, tokens: list[Raw]) -> None:
        self.found = Findings()
        self.tokens = tokens
        self.position = {token.offset: at for at, token in enumerate(tokens)}
        self.tolerant = False  # what is visited may be undefined

    def visit(self, node: nodes.Node) -> None:
        asks = isinstance(node, nodes.Test) and node.name in DEFINED
        if asks or (isinstance(node, nodes.Filter) and node.name in {"default", "d"}):
            self.provided_for(node)
        else:
            self.look(node)

    def provided_for(self, node: nodes.Node) -> None:
        """The value of a `default` and of a test whether it is there; what else stands in them is visited as usual."""
        assert isinstance(node, nodes.Filter | nodes.Test)
        assert node.node is not None  # only a filter block has none
        self.no_stars(node)
        before, self.tolerant = self.tolerant, True
        self.visit(node.node)
        self.tolerant = before
        for child in (*node.args, *node.kwargs):
            self.visit(child)

    def look(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            self.chain(node)
        elif isinstance(node, nodes.Name):
            self.name(node, [])
        elif isinstance(node, nodes.Call):
            self.call(node)
        else:
            if isinstance(node, nodes.Filter):
                self.known("filter", node.name, node.lineno, FILTERS)
            elif isinstance(node, nodes.Test):
                self.known("test", node.name, self.test_name(node), CHECKS)
            if isinstance(node, nodes.Filter | nodes.Test):
                self.no_stars(node)
            for child in node.iter_child_nodes():
                self.visit(child)
            if isinstance(node, nodes.Filter) and node.name == "map":
                self.mapped(node)

    def chain(self, node: nodes.Getattr | nodes.Getitem) -> None:
        """A name or a value with `.a`, `[0]` behind it."""
        links: list[nodes.Getattr | nodes.Getitem] = []
        inner: nodes.Node = node
        while isinstance(inner, nodes.Getattr | nodes.Getitem):
            links.append(inner)
            inner = inner.node
        links.reverse()
        if not isinstance(inner, nodes.Name):
            self.visit(inner)
        elif inner.name == "steps":
            self.step(node, links)
        else:
            self.name(inner, links)
        for link in links:
            if isinstance(link, nodes.Getitem):
                self.visit(link.arg)

    def step(self, node: nodes.Getattr | nodes.Getitem, links: list[nodes.Getattr | nodes.Getitem]) -> None:
        start, first = self.start(links[0]), links[0]
        if isinstance(first, nodes.Getitem):
            name = first.arg.value if isinstance(first.arg, nodes.Const) else None
            hint = (
                f"write `steps.{name}`"
                if isinstance(name, str) and name.isidentifier()
                else "name the step itself: `steps.X.output`"
            )
            self.error("`steps[...]`: a step cannot be computed", start, self.end(first) - start, "steps", hint)
            return
        if len(links) == 1:
            if node is not first or not self.is_whole(start, self.end(first)):
                self.bare(first.attr, start, self.end(first) - start)
                return
            self.found.steps.append(StepUse(first.attr, "", start, self.end(first) - start))
            return
        second = links[1]
        if isinstance(second, nodes.Getitem):
            self.bare(first.attr, start, self.end(first) - start)
        elif second.attr not in _TASK_NAMES:
            at = self.token_after(second)
            hint = (
                did_you_mean(second.attr, _TASK_NAMES)
                or f"one of {listed(_TASK_NAMES)}; a field is `steps.{first.attr}.output.{second.attr}`"
            )
            self.error(f"a step has no `{second.attr}`", at.offset, len(at.text), "steps", hint)
        else:
            path, offsets = self.path(links[2:])
            self.found.steps.append(
                StepUse(first.attr, second.attr, start, self.end(second) - start, path, offsets, self.tolerant)
            )

    def path(self, links: Iterable[nodes.Getattr | nodes.Getitem]) -> tuple[tuple[str | None, ...], tuple[int, ...]]:
        names: list[str | None] = []
        offsets = []
        for link in links:
            key = link.attr if isinstance(link, nodes.Getattr) else getattr(link.arg, "value", None)
            names.append(key if isinstance(key, str) else None)
            offsets.append(self.token_after(link).offset)
        return tuple(names), tuple(offsets)

    def mapped(self, node: nodes.Filter) -> None:
        """`steps.X.outputs | map(attribute='a.b')` looks into each of them."""
        arguments = {str(pair.key): pair.value for pair in node.kwargs}
        attribute = arguments.get("attribute")
        if not self.found.steps or "default" in arguments or not isinstance(attribute, nodes.Const):
            return
        last = self.found.steps[-1]
        of = node.node
        if not isinstance(of, nodes.Getattr) or self.end(of) != last.offset + last.width or last.path:
            return
        if isinstance(attribute.value, str) and attribute.value:
            names = tuple(None if part.isdecimal() else part for part in attribute.value.split("."))
            self.found.steps[-1] = replace(
                last, path=(None, *names), offsets=(last.offset, *[attribute.lineno + 1] * len(names))
            )

    def bare(self, step: str, offset: int, width: int) -> None:
        self.error(
            f"`steps.{step}` alone chains a step, as the whole of `for_each`", offset, width, "steps",
            f"write `steps.{step}.output`, or `steps.{step}.outputs` for all of its tasks",
        )  # fmt: skip

    def name(self, node: nodes.Name, links: list[nodes.Getattr | nodes.Getitem]) -> None:
        name, width = node.name, len(node.name)
        if name == "steps":
            self.error("`steps` cannot be passed on", node.lineno, width, "steps", "name a step: `steps.X.output`")
        elif name in NAMES:
            names, last = [name], None
            for link in links:
                key = link.attr if isinstance(link, nodes.Getattr) else getattr(link.arg, "value", None)
                if not isinstance(key, str):
                    break
                names.append(key)
                last = link
            end = node.lineno + width if last is None else self.end(last)
            self.found.uses.append(NameUse(tuple(names), node.lineno, end - node.lineno))
        elif name in FUNCTIONS:
            self.error(f"`{name}` is a function", node.lineno, width, "name", f"call it: `{name}(...)`")
        elif name not in CONSTANTS:
            hint = did_you_mean(name, (*NAMES, *FUNCTIONS, "true", "false", "null"))
            if hint is None:
                hint = f"a text needs quotes: `'{name}'`; names are {listed(NAMES)}"
            self.error(f"no such name `{name}`", node.lineno, width, "name", hint)

    def call(self, node: nodes.Call) -> None:
        target = node.node
        if isinstance(target, nodes.Name):
            if target.name in NAMES or target.name in CONSTANTS:
                self.error(f"`{target.name}` is no function", target.lineno, len(target.name), "function", None)
            else:
                self.known("function", target.name, target.lineno, FUNCTIONS)
        elif isinstance(target, nodes.Getattr):
            self.method(target)
            self.visit(target.node)
        else:
            self.error("only functions can be called", node.lineno, 1, "function", None)
            self.visit(target)
        self.no_stars(node)
        for child in (*node.args, *node.kwargs):
            self.visit(child)

    def method(self, target: nodes.Getattr) -> None:
        name, at = target.attr, self.token_after(target)
        if name in TEXT_METHODS:
            return
        if name in FILTERS or name in _METHOD_FILTERS:
            hint: str | None = f"use the filter: `| {_METHOD_FILTERS.get(name, name)}`"
        else:
            hint = did_you_mean(name, TEXT_METHODS)
        self.error(f"no method `{name}`", at.offset, len(at.text), "function", hint)

    def known(self, kind: str, name: str, offset: int, table: dict[str, object] | object) -> None:
        if name not in table:  # type: ignore[operator]  # tables of functions of several kinds
            hint = did_you_mean(name, table)  # type: ignore[arg-type]  # likewise
            if kind == "filter" and name == "random":
                hint = "nothing is random here; use `stable_seed(...)`"
            self.error(f"no {kind} `{name}`", offset, len(name), kind, hint)

    def no_stars(self, node: nodes.Call | nodes.Filter | nodes.Test) -> None:
        for star in (node.dyn_args, node.dyn_kwargs):
            if star is not None:
                self.error("`*` before an argument means nothing here", star.lineno, 1, "function", None)

    def error(self, message: str, offset: int, width: int, about: str, hint: str | None) -> None:
        self.found.errors.append(TemplateError(message, offset, max(width, 1), f"expression.{about}", hint))

    # --- places ----------------------------------------------------------------------------------

    def start(self, link: nodes.Getattr | nodes.Getitem) -> int:
        """Of the name before the first link."""
        return self.tokens[self.position[link.lineno] - 1].offset

    def token_after(self, link: nodes.Getattr | nodes.Getitem) -> Raw:
        return self.tokens[self.position[link.lineno] + 1]

    def end(self, link: nodes.Getattr | nodes.Getitem) -> int:
        if isinstance(link, nodes.Getattr):
            return self.token_after(link).end
        depth = 0
        for at in range(self.position[link.lineno], len(self.tokens)):
            token = self.tokens[at]
            depth += (token.text == "[") - (token.text == "]")
            if depth == 0:
                return token.end
        return link.lineno + 1

    def is_whole(self, start: int, end: int) -> bool:
        return self.tokens[0].offset == start and self.tokens[-1].end == end

    def test_name(self, node: nodes.Test) -> int:
        at = self.position[node.lineno] + 1
        if self.tokens[at].text == "not":
            at += 1
        return self.tokens[at].offset
