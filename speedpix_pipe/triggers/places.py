"""Where the files of watched folders come from and go to, and which files are whose where folders overlap."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from speedpix_pipe.errors import PipeError, Problem
from speedpix_pipe.model import Pipeline, Watch
from speedpix_pipe.plan.names import problem_at
from speedpix_pipe.records import dataclass
from speedpix_pipe.triggers.claims import CLAIMS
from speedpix_pipe.triggers.scan import Tree


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of one watched folder come from and go to. `shown` is the folder as the spec has it."""

    root: Path
    done: Path
    failed: Path
    shown: str

    @classmethod
    def of(cls, watch: Watch, folder: Path) -> Places:
        root = _meant(watch.folder, folder)

        def beside(written: str | None, built_in: str) -> Path:
            return root / built_in if written is None else _meant(written, folder)

        return cls(root, beside(watch.on_success, "done"), beside(watch.on_failure, "failed"), watch.folder)

    @property
    def real(self) -> str:
        """The root itself, by whatever links the spec reaches it."""
        return os.path.realpath(self.root)


def _meant(written: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder / Path(written).expanduser()))


def trees_of(pipeline: Pipeline, own: Iterable[Path] = ()) -> list[Tree]:
    """The tree of each entry of `watch`.

    None enters what any of them has finished, nor a folder below it that has an entry of its own; the specs themselves
    and `own` (what else is the watcher's own) are nobody's arrivals. Entries that share a folder share its files, too:
    each goes to the first that wants it.
    """
    places = [Places.of(watch, pipeline.folder) for watch in pipeline.watch]
    finished = [str(path) for place in places for path in (place.root / CLAIMS, place.done, place.failed)]
    never = [*finished, *map(str, [*_specs(pipeline), *own])]
    trees: list[Tree] = []
    for index, (watch, place) in enumerate(zip(pipeline.watch, places, strict=True)):
        below = [str(other.root) for other in places if _lies_below(other.real, place.real)]
        elders = [tree for tree, other in zip(trees, places[:index], strict=True) if other.real == place.real]
        trees.append(Tree(str(place.root), watch.patterns, watch.ignore, [*never, *below], elders))
    return trees


def problems_of(pipeline: Pipeline) -> Iterator[Problem]:
    """Folders that would feed each other, and patterns that mean nothing."""
    places = [Places.of(watch, pipeline.folder) for watch in pipeline.watch]
    for watch, place in zip(pipeline.watch, places, strict=True):
        for target in dict.fromkeys((place.done, place.failed)):
            inside = next((other for other in places if os.path.realpath(target) == other.real), None)
            if inside is not None and inside.real == place.real:
                yield problem_at(
                    pipeline,
                    watch.mark,
                    "watch.same-folder",
                    f"files of {place.shown} cannot be moved to {place.shown} itself",
                    hint="move them to a folder below it, or beside it",
                )
            elif inside is not None:
                yield problem_at(
                    pipeline,
                    watch.mark,
                    "watch.chain",
                    f"files of {place.shown} would be moved to {inside.shown}, which is watched too",
                    hint="chain steps within one pipeline instead",
                )
        try:
            Tree(str(place.root), watch.patterns, watch.ignore)
        except PipeError as error:
            yield problem_at(pipeline, watch.mark, error.code, error.message, hint=error.hint)


def _specs(pipeline: Pipeline) -> set[Path]:
    found: set[Path] = set()
    todo = [pipeline]
    while todo:
        current = todo.pop()
        if current.path not in found:
            found.add(current.path)
            todo += [step.pipeline for step in current.steps.values() if step.pipeline is not None]
    return found


def _lies_below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")


def matched(old: Sequence[Watch], new: Sequence[Watch]) -> list[int | None]:
    """For each entry of before, the one that has taken its place: of the same folder, and if possible of its param."""
    free = list(range(len(new)))
    found: list[int | None] = [None] * len(old)
    for any_param in (False, True):
        for at, watch in enumerate(old):
            same_folder = [index for index in free if new[index].folder == watch.folder]
            fits = [index for index in same_folder if any_param or new[index].param == watch.param]
            if found[at] is None and fits:
                found[at] = fits[0]
                free.remove(fits[0])
    return found
