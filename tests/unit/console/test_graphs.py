"""The graph of steps as text: every step and edge in each form, and an SVG in which nothing lies on anything else."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from speedpix_pipe.console.graphs import draw
from speedpix_pipe.plan.graph import Graph
from speedpix_pipe.plan.weave import weave
from speedpix_pipe.spec.build import require_pipeline

SVG = "{http://www.w3.org/2000/svg}"
SPEC = """
apiVersion: speedpix-pipe/v1
name: 'a "quoted" <name>'
params:
  words: {type: array, default: [one, two]}
steps:
  draw:
    workflow: text-to-image
    for_each: ${{ params.words }}
    input: {prompt: "${{ item }}"}
  big:
    workflow: up<scale>
    for_each: ${{ steps.draw }}
    input: {image: "${{ steps.draw.file }}"}
  final:
    workflow: stylize
    for_each: ${{ steps.big }}
    input: {image: "${{ steps.big.file }}", mask: "${{ steps.draw.file }}"}
  sheet:
    image: [{contact-sheet: {columns: 2}}]
    input: {images: "${{ steps.final.files }}"}
    save: sheet.png
"""


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return weave(require_pipeline(path)[0])[0]


@pytest.mark.parametrize("form", ["mermaid", "dot"])
def test_every_step_and_every_edge_is_there(graph, form):
    text = draw(graph, form)
    arrow = "-->" if form == "mermaid" else "->"
    assert len(re.findall(rf"n\d+ {arrow} n\d+", text)) == 4
    for name in ("draw", "big", "final", "sheet", "contact-sheet"):
        assert name in text


def test_the_svg_is_well_formed_whatever_names_hold(graph):
    root = ET.fromstring(draw(graph, "svg"))
    assert [text.text for text in root.iter(f"{SVG}text")].count("up<scale>") == 1
    assert root.find(f"{SVG}title").text == 'a "quoted" <name>'


def test_no_box_lies_on_another_and_no_edge_runs_through_a_box(graph):
    root = ET.fromstring(draw(graph, "svg"))
    boxes = [[float(rect.get(name)) for name in ("x", "y", "width", "height")] for rect in root.iter(f"{SVG}rect")]
    assert len(boxes) == 4
    for number, (x, y, width, height) in enumerate(boxes):
        for x2, y2, width2, height2 in boxes[number + 1 :]:
            assert x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
    passages = [path.get("d") for path in root.iter(f"{SVG}path") if "H" in path.get("d")]
    assert len(passages) == 1  # draw -> final, past big
    ((start, height_there),) = re.findall(r"([\d.]+) ([\d.]+)H", passages[0])
    (below,) = [box for box in boxes if box[0] == float(start)]
    assert not below[1] <= float(height_there) <= below[1] + below[3]


def test_a_pipeline_of_one_step(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("apiVersion: speedpix-pipe/v1\nname: one\nsteps: {a: {workflow: w, input: {x: 1}}}\n")
    text = draw(weave(require_pipeline(path)[0])[0], "svg")
    assert text.count("<rect") == 1
