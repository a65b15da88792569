"""What a run would do now: tasks per step, what is cached, bytes, time, cost. No network, no credentials.

The one exception: objects that the spec names (s3://, oss://) are listed, since they are the items.
Tasks that wait for the output of one that would run are counted as "when known". With --json, stdout is one object:
steps (step, total, run, cached, join, unknown, when_known), upload_bytes, seconds, cost; null is what cannot be known.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from speedpix_pipe.cli.options import (
    add_json,
    add_local,
    add_params,
    add_rev,
    add_selection,
    add_spec,
    spec_request,
)
from speedpix_pipe.cli.output import print_json, print_spec, terminal

if TYPE_CHECKING:
    from speedpix_pipe.app.request import SpecRequest

GRAPHS = ("mermaid", "dot", "svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_params(parser)
    add_local(parser)
    add_rev(parser)
    add_selection(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--resolved", action="store_true", help="print the spec with every default merged in instead")
    what.add_argument("--graph", choices=GRAPHS, help="print the graph of steps instead")
    add_json(parser, "the plan (or the resolved spec)")


def run(args: argparse.Namespace) -> int:
    request = spec_request(args)
    if args.graph:
        return _graph(request, args.graph)
    if args.resolved:
        return _resolved(request, as_json=args.json)
    from speedpix_pipe.app.plan import PlanRequest, plan

    planned = plan(PlanRequest(request, args.local, tuple(args.only), tuple(args.start_from)))
    if args.json:
        print_json(planned.estimate.to_json())
        return 0
    from speedpix_pipe.console.plans import render_plan
    from speedpix_pipe.console.problems import render_problems

    screen = terminal()
    if planned.warnings:
        print(
            render_problems(planned.warnings, color=screen.color, width=screen.wrap, language=screen.language),
            file=sys.stderr,
        )
    print(render_plan(planned.loaded.pipeline.name, planned.estimate, language=screen.language))
    return 0


def _resolved(request: SpecRequest, *, as_json: bool) -> int:
    from speedpix_pipe.app.plan import resolved

    print_spec(resolved(request), as_json=as_json)
    return 0


def _graph(request: SpecRequest, form: str) -> int:
    from speedpix_pipe.app.plan import drawn_graph

    print(drawn_graph(request, form))
    return 0
