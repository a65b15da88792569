"""How the service is, for whoever supervises it: a small JSON file, and red with a reason when something is wrong."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable
from dataclasses import field
from datetime import datetime
from pathlib import Path

from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass

LAST_VERDICTS = 10


@dataclass(slots=True)
class FolderHealth:
    """One watched folder. `troubles` are sentences by their cause; none means green."""

    folder: str
    mode: str = "scanning"  # or `events`: what wakes the scanner
    mode_why: str = ""  # why there are no events
    last_scan: datetime | None = None
    waiting: int = 0  # in the folder: settling, or held back
    claimed: int = 0  # ours, and not in their last place yet
    troubles: dict[str, str] = field(default_factory=dict)


class Health:
    """Collects what is wrong and writes it down. `tell` hears of each trouble as it begins and as it ends."""

    def __init__(self, path: Path | None, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
        self.folders: list[FolderHealth] = []
        self.troubles: dict[str, str] = {}  # of the watcher as a whole
        self.done = 0
        self.failed = 0
        self.last: deque[Json] = deque(maxlen=LAST_VERDICTS)
        self._path = path
        self._now = now
        self._tell = tell
        self._started = now()
        self._unwritable = False

    def trouble(self, cause: str, sentence: str | None, *, of: FolderHealth | None = None) -> None:
        """Something is wrong, or (None) no longer."""
        troubles = self.troubles if of is None else of.troubles
        before = troubles.get(cause)
        if sentence == before:
            return
        if sentence is None:
            del troubles[cause]
            self._tell(f"over: {before}")
        else:
            troubles[cause] = sentence
            self._tell(sentence)

    def note(self, sentence: str) -> None:
        """Something to be told once."""
        self._tell(sentence)

    def judged(self, path: str, verdict: str, run_id: str | None, reason: str | None = None) -> None:
        if verdict == "done":
            self.done += 1
        else:
            self.failed += 1
        self._tell(f"{verdict}: {plain(path)}" + (f" ({reason})" if reason else ""))
        self.last.append({"file": plain(path), "verdict": verdict, "run_id": run_id, "at": self._now().isoformat()})

    @property
    def reasons(self) -> list[str]:
        return [*self.troubles.values(), *[text for folder in self.folders for text in folder.troubles.values()]]

    def to_json(self, *, alive: bool = True) -> Json:
        return {
            "status": "red" if self.reasons else "green",
            "why": self.reasons,
            "alive": alive,
            "at": self._now().isoformat(),
            "started": self._started.isoformat(),
            "pid": os.getpid(),
            "waiting": sum(folder.waiting for folder in self.folders),
            "claimed": sum(folder.claimed for folder in self.folders),
            "done": self.done,
            "failed": self.failed,
            "folders": [
                {
                    "folder": folder.folder,
                    "mode": folder.mode,
                    "mode_why": folder.mode_why or None,
                    "last_scan": folder.last_scan.isoformat() if folder.last_scan else None,
                    "waiting": folder.waiting,
                    "claimed": folder.claimed,
                    "why": list(folder.troubles.values()),
                }
                for folder in self.folders
            ],
            "last_verdicts": list(self.last),
        }

    def write(self, *, alive: bool = True) -> None:
        """Whole or not at all. A health file that cannot be written must not stop the work."""
        if self._path is None:
            return
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            text = json.dumps(self.to_json(alive=alive), ensure_ascii=False, indent=2) + "\n"
            part.write_text(text, "utf-8", "backslashreplace")  # a name in a sentence may be any bytes
            part.replace(self._path)
            self._unwritable = False
        except OSError as error:
            if not self._unwritable:
                self._unwritable = True
                self._tell(f"the health file {self._path} cannot be written: {error.strerror}")


def plain(path: str) -> str:
    """A name as it can be shown and written, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
