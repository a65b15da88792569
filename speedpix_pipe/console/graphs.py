"""The graph of steps as text: for Mermaid, for Graphviz, or as an SVG that needs neither.

The SVG's layout is ours: steps in layers by how far they are from the start, ordered within a layer by where
what they need stands, an edge as one curve. Good for the dozen steps that a pipeline has.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from itertools import pairwise

from speedpix_pipe.console.base import cell_width, printable
from speedpix_pipe.plan.graph import Graph, Node, Role
from speedpix_pipe.records import dataclass

CELL = 7.4  # pixels of a terminal cell at the SVG's font size
ROW, PASSAGE, GAP, LAYER, MARGIN = 44, 8, 18, 64, 12


_Place = tuple[int, int, int]  # a step (twice) or an edge from and to, and the layer


@dataclass(frozen=True, slots=True)
class _Box:
    node: Node | None  # None: an edge passes here
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw(graph: Graph, form: str) -> str:
    """The graph in `form`: mermaid, dot or svg."""
    lines = {"mermaid": _mermaid, "dot": _dot, "svg": _svg}[form](graph)
    return "\n".join(lines)


def _shown(graph: Graph) -> list[Node]:
    return [node for node in graph if node.role is not Role.ENTER]


def _edges(graph: Graph) -> list[tuple[Node, Node]]:
    """From what is needed to who needs it; the entry of a sub-pipeline stands for what it needs itself."""
    edges: dict[tuple[int, int], None] = {}
    for node in _shown(graph):
        for index in sorted(_needs(graph, node)):
            edges[index, node.index] = None
    return [(graph.nodes[one], graph.nodes[other]) for one, other in edges]


def _needs(graph: Graph, node: Node) -> set[int]:
    found: set[int] = set()
    for index in graph.needs_of(node):
        needed = graph.nodes[index]
        found |= _needs(graph, needed) if needed.role is Role.ENTER else {index}
    return found - {node.index}


def _what(node: Node) -> str:
    """What the step does, in a word or two."""
    step = node.step
    if step.workflow is not None:
        return step.workflow.name
    if step.pipeline is not None:
        return step.pipeline.name
    return ", ".join(operation.name for operation in step.operations)


def _fan(node: Node) -> str:
    """What its tasks run over."""
    return " × ".join(dim.shown for dim in node.dims)


def _mermaid(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    for node in _shown(graph):
        yield f'  n{node.index}["{_for_mermaid(node.name)}<br/>{_for_mermaid(_what(node))}"]'
    for one, other in _edges(graph):
        yield f"  n{one.index} --> n{other.index}"


def _for_mermaid(text: str) -> str:
    return html.escape(printable(text), quote=True).replace("&quot;", "#quot;")


def _dot(graph: Graph) -> Iterator[str]:
    yield f"digraph {_quoted(graph.pipeline.name)} {{"
    yield "  rankdir=LR; node [shape=box, style=rounded];"
    for node in _shown(graph):
        yield f"  n{node.index} [label={_quoted(node.name, _what(node))}];"
    for one, other in _edges(graph):
        yield f"  n{one.index} -> n{other.index};"
    yield "}"


def _quoted(*lines: str) -> str:
    escaped = [printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'


# --- SVG ---


def _svg(graph: Graph) -> Iterator[str]:
    layout = _Layout(graph)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{layout.width:g}" height="{layout.height:g}" '
        f'viewBox="0 0 {layout.width:g} {layout.height:g}" font-family="sans-serif" font-size="13" role="img">'
    )
    yield f"<title>{html.escape(printable(graph.pipeline.name))}</title>"
    yield '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    yield '<path d="M0 0 8 4 0 8z" fill="#667"/></marker>'
    for stops in layout.edges():
        yield f'<path d="{_curve(stops)}" fill="none" stroke="#667" marker-end="url(#tip)"/>'
    for box in layout.boxes.values():
        if box.node is not None:
            yield from _drawn(box, box.node)
    yield "</svg>"


class _Layout:
    """Where everything stands. An edge over several layers has a place of its own in each that it passes."""

    def __init__(self, graph: Graph) -> None:
        nodes = _shown(graph)
        self._layer: dict[int, int] = {}
        needs = {node.index: _needs(graph, node) for node in nodes}
        for node in nodes:  # what a step needs stands before it
            self._layer[node.index] = max((self._layer[index] + 1 for index in needs[node.index]), default=0)
        self._routes = [self._route(index, node.index) for node in nodes for index in sorted(needs[node.index])]
        self.boxes: dict[_Place, _Box] = {}
        self._set(nodes)
        self.width = max((box.x + box.width for box in self.boxes.values()), default=0.0) + MARGIN
        self.height = max((box.y + box.height for box in self.boxes.values()), default=0.0) + MARGIN

    def edges(self) -> Iterator[list[_Box]]:
        for route in self._routes:
            yield [self.boxes[place] for place in route]

    def _route(self, start: int, end: int) -> list[_Place]:
        between = range(self._layer[start] + 1, self._layer[end])
        return [(start, start, self._layer[start]), *((start, end, n) for n in between), (end, end, self._layer[end])]

    def _set(self, nodes: list[Node]) -> None:
        before: dict[_Place, list[_Place]] = {(n.index, n.index, self._layer[n.index]): [] for n in nodes}
        for route in self._routes:
            for one, other in pairwise(route):
                before.setdefault(other, []).append(one)
        by_index = {node.index: node for node in nodes}
        x = float(MARGIN)
        for number in range(max(self._layer.values(), default=-1) + 1):
            column = [place for place in before if place[2] == number]
            column.sort(key=lambda place: (self._pull(before[place]), place))
            width = max(_width(by_index[place[0]]) for place in column if place[0] == place[1])
            below = float(MARGIN)
            for place in column:
                node = by_index[place[0]] if place[0] == place[1] else None
                height = ROW if node is not None else PASSAGE
                y = max(below, self._pull(before[place]) - height / 2)
                self.boxes[place] = _Box(node, x, y, width, height)
                below = y + height + GAP
            x += width + LAYER

    def _pull(self, places: list[_Place]) -> float:
        """The height at which what is needed stands on average."""
        return sum(self.boxes[place].middle for place in places) / len(places) if places else 0.0


def _width(node: Node) -> float:
    return max(cell_width(node.name), cell_width(_what(node))) * CELL + 24


def _curve(stops: list[_Box]) -> str:
    """From box to box, straight through the places that the edge has on its way."""
    first = stops[0]
    path = f"M{first.x + first.width:g} {first.middle:g}"
    for one, other in pairwise(stops):
        x1, x2 = one.x + one.width, other.x
        bend = (x2 - x1) / 2
        path += f"C{x1 + bend:g} {one.middle:g} {x2 - bend:g} {other.middle:g} {x2:g} {other.middle:g}"
        if other.node is None:
            path += f"H{other.x + other.width:g}"
    return path


def _drawn(box: _Box, node: Node) -> Iterator[str]:
    name, what, fan = (html.escape(printable(text)) for text in (node.name, _what(node), _fan(node)))
    yield f"<g><title>{fan or 'one task'}</title>"
    yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{ROW}" rx="7" fill="#fff" stroke="#334"/>'
    middle = box.x + box.width / 2
    yield f'<text x="{middle:g}" y="{box.y + 18:g}" text-anchor="middle" fill="#112" font-weight="600">{name}</text>'
    yield f'<text x="{middle:g}" y="{box.y + 35:g}" text-anchor="middle" fill="#556">{what}</text></g>'
