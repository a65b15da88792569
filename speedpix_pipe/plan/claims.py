"""Who may write which path: claimed before anything is paid for, so that two tasks can never mean the same file."""

from __future__ import annotations

from pathlib import Path

from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.files import collision_key
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.targets import STAND_IN, Target, uses
from speedpix_pipe.plan.tasks import Task


class Claims:
    """Who may write which path. Case and the form of letters do not tell paths apart, nor does a free extension."""

    def __init__(self) -> None:
        self._owners: dict[str, list[tuple[str | None, str]]] = {}

    def claim(self, task: Task, scopes: Scopes) -> list[Target]:
        """The targets of a task's `save`, all free until now; TaskError otherwise."""
        targets = targets_of(task, scopes)
        folder = task.node.space.pipeline.folder
        for number, target in enumerate(targets):
            path = target.path(1, STAND_IN)
            owner = f"{task.name}#{number}"
            holder = self.take(path, folder, owner, any_extension=uses(target.rule.target, "ext"))
            if holder is not None:
                other = holder.rpartition("#")[0]
                message = f"{other} saves to {path} too" if other != task.name else f"two rules of `save` mean {path}"
                raise TaskError(
                    message,
                    kind=TaskErrorKind.INPUT,
                    code="task.collision",
                    hint="put item.stem, matrix or n into the path",
                )
        return targets

    def claim_further(self, task: Task, path: str, *, rule: int, number: int) -> None:
        """Claim the path of one more file of a rule of `save`, known with the output; TaskError if it is taken."""
        owner = f"{task.name}#{rule}.{number}"
        holder = self.take(path, task.node.space.pipeline.folder, owner, any_extension=False)
        if holder is not None:
            other = holder.rpartition("#")[0]
            raise TaskError(
                f"{other} saves to {path} too" if other != task.name else f"two files of the output mean {path}",
                kind=TaskErrorKind.OUTPUT,
                code="task.collision",
                hint="the result is kept: mend this and run again, it costs nothing",
            )

    def take(self, path: str, folder: Path, owner: str, *, any_extension: bool) -> str | None:
        """Claim a path as it is written in `folder`; the name of whoever has it already, if it is another."""
        parent, slash, name = collision_key(path, folder).rpartition("/")
        stem, dot, suffix = name.rpartition(".")
        if not dot:
            stem, suffix = name, ""
        wanted = None if any_extension else suffix
        known = self._owners.setdefault(f"{parent}{slash}{stem}", [])
        for extension, holder in known:
            if extension is None or wanted is None or extension == wanted:
                return holder if holder != owner else None
        known.append((wanted, owner))
        return None


def targets_of(task: Task, scopes: Scopes) -> list[Target]:
    return [Target(rule, scopes.of_task(task)) for rule in task.node.step.save]
