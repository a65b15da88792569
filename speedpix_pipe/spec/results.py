"""Which outputs of a step are known before it runs: those of a contract, of a sub-pipeline, of an `image:` step."""

from __future__ import annotations

from collections.abc import Mapping

from speedpix_pipe.model import Field, Pipeline, StepKind, Workflow
from speedpix_pipe.spec.draft import Draft
from speedpix_pipe.spec.nearest import did_you_mean, listed
from speedpix_pipe.spec.places import Node


def results_of(
    workflow: Workflow | None, pipeline: Pipeline | None, kind: StepKind
) -> Mapping[str, Field | None] | None:
    """The outputs that are known beforehand, with what is known of each; None where nothing is."""
    if kind is StepKind.IMAGE:
        return {"image": None}
    if pipeline is not None:
        return {entry.name: None for entry in pipeline.outputs.entries} if pipeline.outputs is not None else {}
    return workflow.output if workflow is not None else None


def check_places(draft: Draft, node: Node | None, results: Mapping[str, Field | None] | None) -> None:
    """The places in the output that `save` and `expect` name."""
    if node is None or results is None:
        return
    for path, key in node.keys.items():
        name = path.partition(".")[0]
        if name and name not in results and "${{" not in path:
            hint = did_you_mean(name, results) or (f"its outputs: {listed(results)}" if results else None)
            draft.add(key.problem("spec.unknown-output", f'there is no output "{name}"', hint=hint))
