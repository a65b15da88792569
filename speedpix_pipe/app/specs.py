"""From a request to a pipeline that may be run: loaded, woven, its params known; or every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from speedpix_pipe import vcs
from speedpix_pipe.app.judging import judge
from speedpix_pipe.app.remainder import remainder
from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.errors import Problem, Severity, SpecError, UsageError
from speedpix_pipe.files import FileValue, FolderFiles, Reads, find_files, resolve
from speedpix_pipe.files.objects import Objects, seen
from speedpix_pipe.files.storage import object_url
from speedpix_pipe.files.value import Digests
from speedpix_pipe.model import Json, Mark, Pipeline
from speedpix_pipe.plan.graph import Graph
from speedpix_pipe.plan.scopes import Surroundings
from speedpix_pipe.plan.weave import weave
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import Settings, load_settings
from speedpix_pipe.spec.build import has_errors, load_pipeline
from speedpix_pipe.spec.params import resolve_params
from speedpix_pipe.spec.places import lines_of

_GIT_NAMES = ("commit", "dirty")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A spec, ready to be walked."""

    pipeline: Pipeline
    graph: Graph
    params: Mapping[str, Any]
    warnings: list[Problem]
    settings: Settings
    look_at_git: Callable[[], vcs.GitFacts | None]  # asked once, and only by who wants to know
    objects: Objects = field(default_factory=Objects)  # what is known of those that were looked at

    @property
    def git(self) -> vcs.GitFacts | None:
        return self.look_at_git()


class _Git(Mapping[str, Json]):
    """What expressions see as `git`; few look."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def __getitem__(self, name: str) -> Json:
        if name not in _GIT_NAMES:
            raise KeyError(name)
        facts = self._loaded.git
        return None if facts is None else getattr(facts, name)

    def __iter__(self) -> Iterator[str]:
        return iter(_GIT_NAMES)

    def __len__(self) -> int:
        return len(_GIT_NAMES)


class ParamFiles:
    """How params find their files: patterns of the command line start at the current folder, all else at the spec's.

    Without `objects`, those are not looked at.
    """

    def __init__(
        self, folder: Path, digests: Digests | None, objects: Objects | None, reads: Reads | None = None
    ) -> None:
        self._folder = folder
        self._digests = digests
        self._objects = objects
        self._noted = reads

    def glob(self, pattern: str, folder: Path) -> Sequence[FileValue]:
        inside = folder == self._folder
        found = find_files(
            pattern if inside else str(folder / pattern), self._folder, allow_empty=True, digests=self._digests
        )
        if self._noted is not None:
            self._noted.found((folder, pattern), found)
        return found

    def file(self, path: Path, folder: Path) -> FileValue:
        if self._noted is not None:
            self._noted.add(path)
        return FileValue.local(path, folder, digests=self._digests)

    def objects(self, text: str, *, many: bool) -> Sequence[FileValue] | None:
        folder = str(self._folder)
        if self._objects is None:
            object_url(text, pattern=many)  # what is wrong with its form can be said all the same
            return None
        found = self._objects.glob(text, folder, allow_empty=True) if many else [self._objects.file(text, folder)]
        if self._noted is not None:
            self._noted.found(text, found)
        return found


def load(
    request: SpecRequest,
    *,
    objects: Objects | None = None,
    unknown_ok: bool = False,
    skip_watched: bool = False,
) -> tuple[Loaded | None, list[Problem]]:
    """Everything known about a spec, and everything wrong with it; with errors, what can be walked nevertheless.

    None where nothing can. Without `objects`, none is looked at, and a param that names some has no value; with them,
    what digests they know is known of files, too.
    `skip_watched`: the files of params that a watched folder fills are not looked for.
    """
    spec = request.spec
    pipeline, problems = load_pipeline(
        request.cwd / spec, shown=str(spec), source=source_of(request), check_files=request.check_files
    )
    if pipeline is None:
        return None, problems
    settings = load_settings(pipeline.folder, request.settings.environment)
    params, patterns, wrong = _params(
        request,
        pipeline,
        ParamFiles(pipeline.folder, objects.digests if objects else None, objects),
        unknown_ok=unknown_ok,
        skip_watched=skip_watched,
    )
    pipeline = replace(pipeline, given_patterns=tuple(patterns))
    graph, woven = weave(pipeline)
    problems += woven
    for inner in pipelines_of(pipeline):
        problems += _not_said_yet(_operation_problems(inner), problems)
        if inner is not pipeline:
            problems += weave(inner)[1]
    problems += [_with_snippet(problem, pipeline) for problem in wrong]
    look_at_git = cache(partial(_git_facts, request, pipeline.path))
    problems = _unique(problems)
    loaded = Loaded(pipeline, graph, params, problems, settings, look_at_git, objects or Objects())
    return (_salvaged(loaded) if has_errors(problems) else loaded), problems


def _params(
    request: SpecRequest, pipeline: Pipeline, files: ParamFiles, *, unknown_ok: bool, skip_watched: bool
) -> tuple[dict[str, Any], list[tuple[str, Path]], list[Problem]]:
    """Their values, the patterns that were asked for, and what is wrong with what was given."""
    skip = {watch.param for watch in pipeline.watch} if skip_watched else set()
    if not request.check_files:
        skip |= {name for name, param in pipeline.params.items() if param.type in {"file", "files"}}
    patterns: list[tuple[str, Path]] = []
    params, wrong = resolve_params(
        pipeline,
        request.params,
        request.params_file,
        cwd=request.cwd,
        files=files,
        unknown_ok=unknown_ok,
        skip=skip,
        patterns=patterns,
    )
    return params, patterns, wrong


def _salvaged(loaded: Loaded) -> Loaded | None:
    left = remainder(loaded.pipeline, loaded.warnings)
    if left is None:
        return None
    graph, woven = weave(left)
    return None if has_errors(woven) else replace(loaded, pipeline=left, graph=graph)


def require(
    request: SpecRequest,
    *,
    objects: Objects | None = None,
    unknown_ok: bool = False,
    skip_watched: bool = False,
) -> Loaded:
    """A spec that may be run, with its warnings; SpecError with every problem otherwise.

    Looks at objects: see `required`. With `unknown_ok`, where the spec counts only as it is written, it does not.
    """
    if objects is None and not unknown_ok:
        objects = Objects()
    loaded, problems = load(request, objects=objects, unknown_ok=unknown_ok, skip_watched=skip_watched)
    if loaded is not None and not has_errors(problems):
        return loaded
    if loaded is not None:
        from speedpix_pipe.app.values import value_problems  # here: most specs are sound

        problems += value_problems(loaded, files=request.check_files)
    raise SpecError(problems)


async def required(request: SpecRequest, objects: Objects, *, skip_watched: bool = False) -> Loaded:
    """The same on a thread that runs a loop."""
    return await seen(partial(require, request, objects=objects, skip_watched=skip_watched))


def surroundings(
    loaded: Loaded, *, run: Mapping[str, str], digests: Digests | None, reads: Reads | None = None
) -> Surroundings:
    """What all expressions of a run share. What they read is noted in `reads`."""
    objects = loaded.objects
    folders = [space.pipeline.folder for space in loaded.graph.spaces]
    files = {number: FolderFiles(folder, digests, objects, reads) for number, folder in enumerate(folders)}
    names = {name for pipeline in pipelines_of(loaded.pipeline) for name in pipeline.env}
    env = loaded.settings.spec_environment(sorted(names))
    return Surroundings(
        params=loaded.params,
        env=env,
        run=run,
        git=_Git(loaded),
        files=files,
        param_files=ParamFiles(loaded.pipeline.folder, digests, objects, reads),
    )


def reads_of(loaded: Loaded, request: SpecRequest) -> Reads:
    """What a run reads before its first expression: its specs, its settings, and what its params name."""
    pipelines = pipelines_of(loaded.pipeline)
    reads = Reads([*(pipeline.path for pipeline in pipelines), loaded.pipeline.folder / ".env"])
    if request.params_file is not None:
        reads.add(resolve(str(request.params_file), request.cwd))
    for name, value in loaded.params.items():
        files = value if isinstance(value, list) else [value]
        if files and isinstance(files[0], FileValue):
            reads.found(name, files)
    return reads


def source_of(request: SpecRequest) -> Callable[[Path], bytes] | None:
    """How files are read under `--rev`: from git. None for the working tree."""
    if request.rev is None:
        return None
    spec = request.cwd / request.spec
    commit = vcs.resolve(request.rev, spec)

    def read(path: Path) -> bytes:
        try:
            return vcs.show(commit, path)
        except UsageError as error:
            raise FileNotFoundError(error.message) from error

    return read


def _git_facts(request: SpecRequest, spec: Path) -> vcs.GitFacts | None:
    """Under `--rev` the commit is that of the spec; dirty is the working tree, from which all else is taken."""
    facts = vcs.facts(spec)
    if facts is None or request.rev is None:
        return facts
    return replace(facts, commit=vcs.resolve(request.rev, spec))


def pipelines_of(pipeline: Pipeline) -> list[Pipeline]:
    """The pipeline and all below it, each once."""
    found: dict[Path, Pipeline] = {}
    todo = [pipeline]
    while todo:
        current = todo.pop()
        if current.path not in found:
            found[current.path] = current
            todo.extend(step.pipeline for step in current.steps.values() if step.pipeline is not None)
    return list(found.values())


def _operation_problems(pipeline: Pipeline) -> list[Problem]:
    return [
        _problem(pipeline, found.mark, found.code, found.message, found.hint)
        for step in pipeline.steps.values()
        for found in judge(step.operations, step.expect)
    ]


def _not_said_yet(found: list[Problem], said: list[Problem]) -> list[Problem]:
    """The schema knows operations and their options too, and places what it says a little otherwise."""
    lines = {(problem.path, problem.line) for problem in said if problem.severity is Severity.ERROR}
    return [problem for problem in found if (problem.path, problem.line) not in lines]


def _problem(pipeline: Pipeline, mark: Mark, code: str, message: str, hint: str | None) -> Problem:
    return _with_snippet(Problem(mark.path, mark.line, mark.column, code, message, hint=hint), pipeline)


def _with_snippet(problem: Problem, pipeline: Pipeline) -> Problem:
    if problem.snippet is not None or problem.path != pipeline.shown:
        return problem
    return replace(problem, snippet=lines_of(pipeline.text).line(problem.line))


def _unique(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
