"""What a run was asked for, kept in the journal: so that `--resume` and `runs redo` need not be told again.

Texts of `-p` are kept as they were given, with the folder they were given in, so globs are evaluated anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.resolved import resolved_spec
from speedpix_pipe.app.specs import Loaded
from speedpix_pipe.errors import StoreError
from speedpix_pipe.model import Json
from speedpix_pipe.settings import Settings
from speedpix_pipe.store import RunRow, Store

UNTOLD = frozenset({"description", "limits", "watch"})  # a spec that differs in these alone means the same tasks


def arguments_of(request: RunRequest) -> dict[str, Any]:
    """What a resume must repeat to be the same run."""
    spec = request.spec
    told = spec.params or spec.params_file
    return {
        "params": {name: list(texts) for name, texts in spec.params.items()},
        "params_file": str(spec.params_file) if spec.params_file else None,
        "cwd": str(spec.cwd) if told else None,  # where the paths among them start
        "local": request.local,
        "no_cache": request.no_cache,
        "only": list(request.only),
        "from": list(request.start_from),
    }


def taken_up(request: RunRequest, state_folder: Path) -> RunRequest:
    """A `--resume` with all that the unfinished run was asked for and this command line does not say."""
    try:
        with Store.open(state_folder, write=False) as store:
            row = store.journal.last_unfinished((request.spec.cwd / request.spec.spec).resolve())
    except StoreError as error:
        if error.code in {"store.empty", "store.older"}:
            return request  # nothing there to go on with
        raise
    if row is None:
        return request
    before = row.arguments if isinstance(row.arguments, dict) else {}
    spec = request.spec
    if not spec.params and not spec.params_file and before.get("cwd"):
        spec = replace(spec, spec=spec.cwd / spec.spec, **_params(before))
    return replace(
        request,
        spec=spec,
        local=request.local or bool(before.get("local")),  # what began on the emulator pays nowhere when it goes on
        only=request.only or before.get("only", ()),
        start_from=request.start_from or before.get("from", ()),
        no_cache=request.no_cache or before.get("no_cache", False),
    )


def resumable(request: RunRequest, loaded: Loaded, store: Store) -> RunRow | None:
    """The unfinished run to go on with, if it was asked for and means the same."""
    if not request.resume:
        return None
    row = store.journal.last_unfinished(loaded.pipeline.path)
    if row is None or row.arguments != arguments_of(request):
        return None
    if row.spec_digest != loaded.pipeline.digest:
        before = store.journal.started(row.id).resolved_spec
        if _meaning(before) != _meaning(json.loads(json.dumps(resolved_spec(loaded.pipeline)))):
            return None
    return row


def asked_again(row: RunRow, settings: Settings) -> RunRequest:
    """The request of a past run, for its spec as it stands now."""
    before = row.arguments if isinstance(row.arguments, dict) else {}
    path = Path(row.spec_path)
    spec = SpecRequest(path, path.parent, settings)
    if before.get("cwd"):
        spec = replace(spec, **_params(before))
    return RunRequest(spec=spec, local=bool(before.get("local")))


def _params(before: Mapping[str, Any]) -> dict[str, Any]:
    file = before.get("params_file")
    return {
        "cwd": Path(before["cwd"]),
        "params": before.get("params") or {},
        "params_file": Path(file) if file else None,
    }


def _meaning(resolved: Json) -> Json:
    """A resolved spec without what makes no task another one."""
    if not isinstance(resolved, dict):
        return resolved
    plain = {name: value for name, value in resolved.items() if name not in UNTOLD}
    parts = plain.get("x-pipelines")
    if isinstance(parts, dict):
        plain["x-pipelines"] = {name: _meaning(part) for name, part in parts.items()}
    return plain
