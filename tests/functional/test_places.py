"""A mistake is pointed at where it stands, however the text around it is written: every style of YAML, every check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SPEC = """apiVersion: speedpix-pipe/v1
name: case
params: {o: {type: object, default: {}}}
workflows: {told: {id: wf-1, output: {a: {}}}}
steps:
  many: {workflow: free, for_each: [1, 2], input: {a: "${{ [item] }}"}, save: "o/${{ index }}"}
  one: {workflow: told, input: {b: "${{ params.o }}"}, save: o/one}
  s:
    workflow: free
    save: o/s
    input:
"""
STYLES = {
    "plain": "      x: aaa {E} bbb\n",
    "plain of several lines": "      x: aaa\n        bbb {E}\n        ccc\n",
    "single quotes": "      x: 'it''s {E} ''q'' b'\n",
    "double quotes": '      x: "t\\tab \\u00e9 \\"q\\" {E} b"\n',
    "double quotes of several lines": '      x: "aaa \\\n        bbb {E}\n\n        ccc"\n',
    "literal": "      x: |\n        line one\n          indented {E} and\n        last\n",
    "literal with a header": "      x: |+2\n        line one\n         {E}\n\n",
    "folded": "      x: >-\n        line one\n        and two\n\n        para {E} end\n          more indented\n",
    "folded after empty lines": "      x: >\n\n\n        first {E}\n",
    "Chinese": "      x: 阿里云 {E} 测试\n",
    "emoji": '      x: "😀 {E}"\n',
    "a list": '      x:\n        - a\n        - [b, "{E}"]\n',
    "flow inside flow": '      x: {y: [1, {z: "q {E}"}]}\n',
    "an anchor": "      x: &x aaa {E}\n",
}
WRONG = {  # what is written, and what is pointed at
    "params.nope": ("${{ params.nope }}", "params.nope"),
    "a second name": ("${{ params.o ~ params.nope }}", "params.nope"),
    "null in a text": ("q${{ null }}", "${{ null }}"),
    "undefined": ("${{ params.o.zzz }}", "${{ params.o.zzz }}"),
    "division": ("z${{ 1 / 0 }}", "${{ 1 / 0 }}"),
    "an unknown step": ("${{ steps.nope.output }}", "steps.nope"),
    "a fan-out that is lacked": ("${{ steps.many.output.v }}", "${{ steps.many.output.v }}"),
    "an unknown output": ("${{ steps.one.output.nope }}", "nope"),
    "a list that is none": ("${{ steps.many.outputs.v }}", "v }}"),
    "an unknown filter": ("${{ 1 | nofilter }}", "nofilter"),
    "an item": ("${{ 1 ~ item }}", "item }}"),
    "a matrix": ("${{ 1 ~ matrix.q }}", "matrix.q"),
    "env": ("${{ env.Q }}", "env.Q"),
    "no syntax": ("${{ 1 ) }}", ") }}"),
}


def pointed_at(cli, text: str) -> list[tuple[int, int]]:
    Path("case.yaml").write_text(text, encoding="utf-8")
    found = json.loads(cli("validate", "case.yaml", "--json").out)
    return [(problem["line"], problem["column"]) for problem in found if problem["severity"] == "error"]


def place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


@pytest.mark.parametrize("style", STYLES)
def test_the_very_expression_is_pointed_at(cli, project, style):
    for what, (written, marked) in WRONG.items():
        text = SPEC + STYLES[style].replace("{E}", written)
        start = text.rindex(written)
        assert pointed_at(cli, text) == [place(text, text.index(marked, start))], what


FOLDED = {"literal": "      x: |\n        aa {E}\n", "plain": "      x: {E}\n"}
ON_ITS_OWN_LINE = ["params.nope", "steps.nope.output", "item", "index", "matrix.q", "env.Q", "steps.many.output.v"]


@pytest.mark.parametrize("style", FOLDED)
def test_a_name_on_a_later_line_of_its_expression_is_pointed_at(cli, project, style):
    for name in ON_ITS_OWN_LINE:
        text = SPEC + FOLDED[style].replace("{E}", "${{ 'a' ~\n          " + name + " ~ 'b'\n        }}")
        assert pointed_at(cli, text) == [place(text, text.index(name, len(SPEC)))], name
    text = SPEC + FOLDED[style].replace("{E}", "${{ 'a' ~\n          params.o.zz\n        }}")
    assert pointed_at(cli, text) == [place(text, text.rindex("${{"))]


@pytest.mark.parametrize("value", ["'it is ${{ 'a' | upper }}'", '"it is ${{ "a" | upper }}"', "{y: 'a ${{ 'b' }}'}"])
def test_a_quote_inside_a_quoted_expression_is_told_as_such(cli, project, value):
    """YAML ends the text there; to quote the expression, which is quoted, is no advice."""
    Path("case.yaml").write_text(SPEC + f"      x: {value}\n")
    (problem,) = json.loads(cli("validate", "case.yaml", "--json").out)
    assert problem["code"] == "yaml.after-quote"
    assert "inside" in problem["hint"]
