"""A spec file, with its sub-pipelines, into a `Pipeline`; or every problem at once.

The walk: text → nodes (`load`) → schema → declarations and steps → warnings. Each file is read once; a problem names
the file that it is in. Steps that refer to each other are judged later, by the graph.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from speedpix_pipe.errors import PipeError, Problem, Severity, SpecError
from speedpix_pipe.model import Pipeline, Step
from speedpix_pipe.spec.declared import build_env, build_limits, build_params, build_watch, build_workflows
from speedpix_pipe.spec.draft import Draft, EnoughProblemsError, member, text_of
from speedpix_pipe.spec.load import load_source, read_bytes, without_gc
from speedpix_pipe.spec.nearest import did_you_mean
from speedpix_pipe.spec.object_urls import refuse_secrets
from speedpix_pipe.spec.places import Node
from speedpix_pipe.spec.schema import MAX_PROBLEMS, schema_problems
from speedpix_pipe.spec.steps import Surroundings, build_step
from speedpix_pipe.spec.uses import check_uses

ReadSource = Callable[[Path], bytes]

_DEEPEST = 20  # sub-pipelines inside sub-pipelines


def load_pipeline(
    path: Path, *, shown: str | None = None, source: ReadSource | None = None, check_files: bool = True
) -> tuple[Pipeline | None, list[Problem]]:
    """The pipeline of a spec file, and everything that is wrong with it, in the order of the file.

    With errors the pipeline is only good for finding further problems; it is None where nothing could be made of the
    file. `source` reads a file's bytes (from git, for `--rev`); `shown` is the name that problems give the file.
    """
    loader = _Loader(source or read_bytes, check_files=check_files)
    with without_gc():
        pipeline = loader.load(path, shown if shown is not None else str(path), ())
    return pipeline, sorted(without_echoes(loader.problems), key=_by_place(shown if shown is not None else str(path)))


def require_pipeline(
    path: Path, *, shown: str | None = None, source: ReadSource | None = None, check_files: bool = True
) -> tuple[Pipeline, list[Problem]]:
    """The pipeline and its warnings. Raises SpecError with every problem where there is an error."""
    pipeline, problems = load_pipeline(path, shown=shown, source=source, check_files=check_files)
    if pipeline is None or has_errors(problems):
        raise SpecError(problems)
    return pipeline, problems


def has_errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def without_echoes(problems: Iterable[Problem]) -> list[Problem]:
    """Each mistake once: what YAML or a misplaced expression explains is not said again in other words."""
    places: dict[tuple[str, int, int], list[Problem]] = {}
    for problem in dict.fromkeys(problems):
        places.setdefault((problem.path, problem.line, problem.column), []).append(problem)
    return [problem for here in places.values() for problem in _loudest(here)]


def _loudest(here: list[Problem]) -> list[Problem]:
    if len(here) == 1:
        return here
    causes = [p for p in here if p.code.startswith(_CAUSES) and p.severity is Severity.ERROR]
    if causes:
        return causes
    return [p for p in here if p.code not in _ECHOES] or here[:1]


_CAUSES = ("yaml.", "expression.not-here")
_ECHOES = frozenset({"yaml.leading-zero", "spec.no-file"})


def _by_place(first: str) -> Callable[[Problem], tuple[bool, str, int, int]]:
    return lambda problem: (problem.path != first, problem.path, problem.line, problem.column)


class _Loader:
    """Reads a spec and its sub-pipelines, each file once."""

    def __init__(self, read: ReadSource, *, check_files: bool) -> None:
        self._source = read
        self._data: dict[Path, bytes] = {}
        self._check_files = check_files
        self._loaded: dict[Path, Pipeline | None] = {}
        self.problems: list[Problem] = []

    def _read(self, real: Path) -> bytes:
        if real not in self._data:
            self._data[real] = self._source(real)
        return self._data[real]

    def load(self, path: Path, shown: str, above: tuple[Path, ...]) -> Pipeline | None:
        """`above` are the files that led here, outermost first."""
        real = path.resolve()
        data = self._bytes(real, shown)
        if data is None:
            return None
        source, root, problems = load_source(data, shown)
        self.problems += problems
        if root is None:
            if not has_errors(problems):
                hint = "a spec begins with `apiVersion: speedpix-pipe/v1`"
                self.problems.append(source.problem(0, "spec.empty", "the file is empty", hint=hint))
            return None
        against_schema = schema_problems(root)
        self.problems += against_schema
        if not root.is_map or len(against_schema) >= MAX_PROBLEMS // 2 or _too_large(against_schema):
            return None
        draft = Draft(source, real.parent, against_schema, check_files=self._check_files)
        try:
            pipeline = self._build(draft, root, real, (*above, real), hashlib.sha256(data))
        except EnoughProblemsError:
            pipeline = None
        self.problems += draft.problems
        return pipeline

    def _bytes(self, real: Path, shown: str) -> bytes | None:
        try:
            return self._read(real)
        except IsADirectoryError:
            said = "this is a folder, not a spec"
        except FileNotFoundError:
            said = "there is no such file"
        except (OSError, ValueError) as error:
            said = f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
        except PipeError as error:
            said = error.message
        self.problems.append(Problem(shown, 1, 1, "spec.unreadable", said))
        return None

    def _build(
        self, draft: Draft, root: Node, real: Path, chain: tuple[Path, ...], digest: hashlib._Hash
    ) -> Pipeline | None:
        refuse_secrets(draft, root)
        params = build_params(draft, _mapping(root, "params"))
        workflow_nodes = _mapping(root, "workflows")
        workflows = build_workflows(draft, workflow_nodes)
        defaults = _mapping(root, "defaults")
        for name in ("name", "description", "defaults"):
            place = member(root, name)
            if place is not None:
                draft.refuse_expressions(place, name)
        step_nodes = _mapping(root, "steps")
        subs: list[Pipeline] = []
        steps: dict[str, Step] = {}
        if step_nodes is not None:

            def sub_pipeline(node: Node) -> Pipeline | None:
                found = self._sub_pipeline(draft, node, chain)
                if found is not None:
                    subs.append(found)
                return found

            around = Surroundings(params, workflows, workflow_nodes, defaults, step_nodes, sub_pipeline)
            draft.check_names(step_nodes, "steps")
            for name, node in step_nodes.members.items():
                steps[name] = build_step(draft, name, step_nodes.keys[name], node, around)
        outputs = _mapping(root, "outputs")
        if outputs is not None:
            draft.check_names(outputs, "outputs")
        pipeline = Pipeline(
            name=text_of(member(root, "name")) or real.stem,
            path=real,
            folder=real.parent,
            shown=draft.source.shown,
            digest=_digest(digest, subs),
            mark=root.mark,
            steps=steps,
            params=params,
            env=build_env(draft, member(root, "env")),
            workflows=workflows,
            limits=build_limits(draft, _mapping(root, "limits")),
            outputs=draft.mapping(outputs) if outputs is not None else None,
            watch=build_watch(draft, member(root, "watch"), params),
            description=text_of(member(root, "description")),
            text=draft.source.text,
        )
        unused = check_uses(draft, pipeline, warn=not has_errors([*self.problems, *draft.problems]))
        return replace(pipeline, unused_params=unused)

    def _sub_pipeline(self, draft: Draft, node: Node, chain: tuple[Path, ...]) -> Pipeline | None:
        written = text_of(node)
        if not written or "${{" in written:
            return None
        try:
            real = (draft.folder / written).resolve()
        except (OSError, ValueError, RuntimeError):
            draft.add(node.problem("spec.no-file", f"{written!r} cannot be a path"))
            return None
        if real in chain:
            names = [path.name for path in chain[chain.index(real) :]]
            shown = " -> ".join([*names, real.name])
            draft.add(node.problem("spec.pipeline-cycle", f"cycle of pipelines: {shown}"))
            return None
        if len(chain) >= _DEEPEST:
            draft.add(node.problem("spec.pipeline-depth", f"pipelines are nested more than {_DEEPEST} deep here"))
            return None
        if real not in self._loaded:
            if not self._is_readable(draft, node, real, written):
                return None
            name = os.path.normpath(os.path.join(os.path.dirname(draft.source.shown), written))  # noqa: PTH118, PTH120  # as shown, not as found
            inner = self.load(real, name, chain)
            self._loaded[real] = inner and replace(inner, watch=())  # as a step, nothing of it is watched
        return self._loaded[real]

    def _is_readable(self, draft: Draft, node: Node, real: Path, written: str) -> bool:
        """A missing file is a problem of the line that names it."""
        if real.exists() and not real.is_file():
            what = "a folder" if real.is_dir() else "no file"
            draft.add(node.problem("spec.no-file", f"{written} is {what}; a pipeline is a YAML file"))
            return False
        try:
            self._read(real)
        except (OSError, ValueError, PipeError):
            names = [p.name for p in real.parent.iterdir()] if real.parent.is_dir() else []
            hint = did_you_mean(real.name, names)
            draft.add(node.problem("spec.no-file", f"the pipeline {written} cannot be read", hint=hint))
            return False
        return True


def _too_large(problems: list[Problem]) -> bool:
    return any(problem.code == "spec.too-many-steps" for problem in problems)


def _mapping(root: Node, name: str) -> Node | None:
    node = member(root, name)
    return node if node is not None and node.is_map else None


def _digest(own: hashlib._Hash, subs: Iterable[Pipeline]) -> str:
    for digest in sorted({sub.digest for sub in subs}):
        own.update(digest.encode())
    return own.hexdigest()
