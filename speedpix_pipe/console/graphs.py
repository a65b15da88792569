"""The graph of steps as text: for Mermaid, for Graphviz, or as an SVG that needs neither.

The SVG's layout is ours: steps in layers by how far they are from the start, ordered within a layer by where
what they need stands, an edge as one curve. Good for the dozen steps that a pipeline has.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

from speedpix_pipe.console.base import cell_width, printable
from speedpix_pipe.plan.graph import Graph, Node, Role

CELL = 7.4  # pixels of a terminal cell at the SVG's font size
ROW, GAP, LAYER, MARGIN = 44, 18, 64, 12


@dataclass(frozen=True, slots=True)
class _Box:
    node: Node
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.y + ROW / 2


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
    boxes = _laid_out(graph)
    width = max((box.x + box.width for box in boxes.values()), default=0) + MARGIN
    height = max((box.y + ROW for box in boxes.values()), default=0) + MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="13" role="img">'
    )
    yield f"<title>{html.escape(graph.pipeline.name)}</title>"
    yield '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    yield '<path d="M0 0 8 4 0 8z" fill="#667"/></marker>'
    for one, other in _edges(graph):
        yield _curve(boxes[one.index], boxes[other.index])
    for box in boxes.values():
        yield from _drawn(box)
    yield "</svg>"


def _laid_out(graph: Graph) -> dict[int, _Box]:
    nodes = _shown(graph)
    needs = {node.index: _needs(graph, node) for node in nodes}
    layer: dict[int, int] = {}
    for node in nodes:  # what a step needs stands before it
        layer[node.index] = max((layer[index] + 1 for index in needs[node.index]), default=0)
    boxes: dict[int, _Box] = {}
    x = float(MARGIN)
    for number in range(max(layer.values(), default=-1) + 1):
        column = [node for node in nodes if layer[node.index] == number]
        column.sort(key=lambda node: (_pull(boxes, needs[node.index]), node.index))
        width = max(_width(node) for node in column)
        below = float(MARGIN)
        for node in column:
            wanted = _pull(boxes, needs[node.index]) - ROW / 2
            y = max(below, wanted)
            boxes[node.index] = _Box(node, x, y, width)
            below = y + ROW + GAP
        x += width + LAYER
    return boxes


def _pull(boxes: dict[int, _Box], needs: set[int]) -> float:
    """The height at which what a step needs stands on average."""
    return sum(boxes[index].middle for index in needs) / len(needs) if needs else 0.0


def _width(node: Node) -> float:
    return max(cell_width(node.name), cell_width(_what(node))) * CELL + 24


def _curve(one: _Box, other: _Box) -> str:
    x1, y1, x2, y2 = one.x + one.width, one.middle, other.x, other.middle
    bend = (x2 - x1) / 2
    path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    return f'<path d="{path}" fill="none" stroke="#667" marker-end="url(#tip)"/>'


def _drawn(box: _Box) -> Iterator[str]:
    name, what, fan = (html.escape(printable(text)) for text in (box.node.name, _what(box.node), _fan(box.node)))
    yield f"<g><title>{fan or 'one task'}</title>"
    yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{ROW}" rx="7" fill="#fff" stroke="#334"/>'
    middle = box.x + box.width / 2
    yield f'<text x="{middle:g}" y="{box.y + 18:g}" text-anchor="middle" fill="#112" font-weight="600">{name}</text>'
    yield f'<text x="{middle:g}" y="{box.y + 35:g}" text-anchor="middle" fill="#556">{what}</text></g>'
