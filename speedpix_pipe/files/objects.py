"""Objects as expressions see them: the same facts as files have, each asked for once and only when somebody asks.

Asking takes a request, and a request takes time that an event loop does not have. So on a loop's thread a fact that is
not known yet raises `LookFirstError`, which carries the request; whoever evaluates there lets `seen` make it in a
thread and evaluates again. Anywhere else the request is made at once.

What makes requests is imported when the first is made: most specs name no object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from speedpix_pipe.errors import AccessError, ExpressionError, PipeError, UsageError
from speedpix_pipe.files.content import UNKNOWN, image_size, sniff
from speedpix_pipe.files.read import READ_LIMIT, parse_file, too_large
from speedpix_pipe.files.storage import Entry, ObjectUrl, StorageError, object_url, open_storage
from speedpix_pipe.files.storage.base import ChangedObjectError
from speedpix_pipe.files.value import Digests, FileValue, Home
from speedpix_pipe.model import Json

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

T = TypeVar("T")
TRIES = 3  # of a digest, while the object keeps changing
AT_ONCE = 16  # requests of a command that has nothing else to do
MOST_READ = 64 * 1024 * 1024  # bytes that a plan reads of objects that nobody has read yet; the rest counts as new
LOOK_BYTES = 64 * 1024  # what a request counts, however small the object
FAILED_FOR_SECONDS = 1.0  # all who wait for a request that fails are told; whoever comes later makes it again


class LookFirstError(Exception):
    """The evaluation needs a fact that `look` finds out, by a request."""

    def __init__(self, look: Callable[[], object]) -> None:
        super().__init__("a fact about an object that is not known yet")
        self.look = look


async def seen(work: Callable[[], T]) -> T:
    """What `work` gives, on a thread that runs a loop; facts about objects are found out beside it."""
    while True:
        try:
            return work()
        except LookFirstError as first:
            from speedpix_pipe.files.storage.threads import in_thread

            await in_thread(first.look)


def on_a_loop() -> bool:
    """Whether this thread runs an event loop, and must not wait for anything."""
    from asyncio import get_running_loop

    try:
        get_running_loop()
    except RuntimeError:
        return False
    return True


class ObjectFacts:
    """What was found out about one object so far. One for each URL, whoever found it."""

    __slots__ = ("entry", "image", "image_known", "media_type", "objects", "sha256", "stale", "unread", "url")

    def __init__(self, url: ObjectUrl, objects: Objects) -> None:
        self.url = url
        self.objects = objects
        self.entry: Entry | None = None
        self.stale = False  # it is to be looked at again before its digest is believed
        self.sha256: str | None = None
        self.image: tuple[int, int, str] | None = None
        self.image_known = False
        self.media_type: str | None = None
        self.unread = False  # a plan took it for new

    def renew(self) -> Entry:
        """Look at it now. What was known of other bytes is forgotten."""
        found = _looked_at(self.url)
        self.learn(found)
        self.stale = False
        return found

    def learn(self, found: Entry) -> None:
        if self.entry is not None and self.entry.state != found.state:
            self.sha256, self.media_type, self.image, self.image_known = None, None, None, False
        self.entry = found

    def recall(self) -> str | None:
        """The digest of the object as it was last seen, if it is remembered."""
        digests = self.objects.digests
        if self.sha256 is None and self.entry is not None and digests is not None:
            self.sha256 = digests.recall(self.entry.place, self.entry.state)
        return self.sha256

    def measured(self, entry: Entry, sha256: str) -> None:
        """These bytes were read; the next run need not read them again."""
        if self.objects.digests is not None:
            self.objects.digests.remember(entry.place, entry.state, sha256)
        if self.entry is not None and self.entry.state == entry.state:
            self.sha256 = sha256

    def measure(self) -> str:
        """The digest of the object as it is now."""
        from speedpix_pipe.files.storage.bytes import sha256_of_object

        for left in reversed(range(TRIES)):
            known = None if self.stale else self.recall()
            if known is not None:
                return known
            if self.entry is not None and not self.stale and not self.objects.may_read(self.entry):
                return self._stand_in(self.entry)
            entry = self.renew()  # also tells what the service itself says of the digest
            known = self.recall()
            if known is not None:
                return known
            try:
                found = sha256_of_object(entry)
            except ChangedObjectError:
                if not left:
                    raise
                self.stale = True
                continue
            self.measured(entry, found)
            return found
        raise AssertionError

    def _stand_in(self, entry: Entry) -> str:
        """For a plan that does not read so much: it counts as content that nobody has seen."""
        self.unread = True
        self.sha256 = hashlib.sha256(b"unread\0" + entry.place + b"\0" + entry.state).hexdigest()
        return self.sha256

    def look_at_picture(self) -> None:
        from speedpix_pipe.files.storage.bytes import header_reader

        entry = self.entry or self.renew()
        self.image = image_size(header_reader(entry))
        self.image_known = True

    def look_at_head(self) -> str:
        from speedpix_pipe.files.storage.bytes import head_of_object

        if self.unread:
            return UNKNOWN.media_type
        if self.media_type is None:
            self.media_type = sniff(head_of_object(self.entry or self.renew())).media_type
        return self.media_type


class ObjectFile(FileValue):
    """An object in expressions. `path` is its URL."""

    __slots__ = ("_object",)

    remote = True

    def __init__(self, facts: ObjectFacts, home: Home) -> None:
        super().__init__(facts.url.text, home)
        self._object = facts

    @property
    def absolute(self) -> Path:
        raise AssertionError(f"{self.path} has no path on this machine")

    @property
    def address(self) -> ObjectUrl:
        return self._object.url

    @property
    def place(self) -> Entry:
        """The object as it was last seen, with its digest where that is known."""
        entry, known = self._entry(), self._object.sha256
        return entry if known is None or entry.sha256 == known else replace(entry, sha256=known)

    def _entry(self) -> Entry:
        facts = self._object
        if facts.entry is None:
            facts.objects.ask(("look", self.path), facts.renew)
        assert facts.entry is not None
        return facts.entry

    @property
    def size(self) -> int:
        return self._entry().size

    @property
    def mtime(self) -> float:
        return self._entry().modified

    @property
    def sha256(self) -> str:
        facts = self._object
        if facts.sha256 is not None and (not facts.stale or on_a_loop()):
            return facts.sha256
        found: str = facts.objects.ask(("digest", self.path), facts.measure, keep=False)
        return found

    @property
    def known(self) -> bool:
        return not self._object.stale and self.remembered

    @property
    def remembered(self) -> bool:
        """Whether the digest of what was last seen is known; somebody may have asked for a new look since."""
        return self._object.recall() is not None

    def forget(self) -> None:
        """Its digest is believed again once it was looked at."""
        self._object.stale = True

    def renew(self) -> Entry:
        """Look at it now; for threads that may wait."""
        return self._object.renew()

    def measured(self, entry: Entry, sha256: str) -> None:
        """Somebody else has read it."""
        self._object.measured(entry, sha256)

    @property
    def media_type(self) -> str:
        """By a request, made at once: for threads that may wait, and no name of expressions. OSError as they go."""
        return self._object.look_at_head()

    @property
    def url(self) -> str:
        """Its own."""
        return self.path

    def _image(self) -> tuple[int, int, str] | None:
        facts = self._object
        if not facts.image_known:
            facts.objects.ask(("picture", self.path), facts.look_at_picture)
        return facts.image

    def _identity(self) -> tuple[str, str | None]:
        return self.path, None


class Objects:
    """The objects that one run, or one look at a spec, has to do with."""

    def __init__(self, digests: Digests | None = None, *, most_read: int | None = None) -> None:
        self.digests = digests
        self.begun = False  # the run has begun: what a store refuses is one task's trouble, and not the run's any more
        self._left = most_read  # bytes that may still be read for digests; None: as many as it takes
        self._facts: dict[str, ObjectFacts] = {}
        self._under_way: dict[tuple[str, ...], Future[_Answer]] = {}
        self._had: dict[tuple[str, ...], _Answer] = {}

    @property
    def used(self) -> bool:
        """Whether anything was asked for at all."""
        return bool(self._had or self._facts)

    # --- what expressions call ---

    def glob(self, pattern: str, folder: str, *, allow_empty: bool = False) -> list[FileValue]:
        from speedpix_pipe.files.finding import find_objects, no_match

        url = object_url(pattern, pattern=True)
        prefix, entries = self.ask(("glob", url.text), partial(find_objects, url))
        if not entries and not allow_empty:
            raise no_match(pattern)
        home = Home(folder, prefix, self.digests)
        return [ObjectFile(self._seen(entry), home) for entry in entries]

    def file(self, text: str, folder: str) -> ObjectFile:
        """ExpressionError where there is no such object."""
        url = object_url(text)
        facts = self._facts.get(url.text)
        if facts is None:
            facts = self._seen(self.ask(("file", url.text), partial(_looked_at, url)))
        return ObjectFile(facts, Home(folder, None, self.digests))

    def read(self, file: FileValue | str) -> Json:
        """FileNotFoundError where there is no such object."""
        url = object_url(str(file))
        return self.ask(("read", url.text), partial(_parsed, url), missing_ok=True)

    def _seen(self, entry: Entry) -> ObjectFacts:
        facts = self._facts.get(entry.url)
        if facts is None:
            facts = self._facts[entry.url] = ObjectFacts(ObjectUrl(entry.url), self)
            facts.entry = entry
        return facts

    # --- requests ---

    def ask(
        self, key: tuple[str, ...], request: Callable[[], Any], *, keep: bool = True, missing_ok: bool = False
    ) -> Any:
        """The answer to a request, made before or made now. With `keep`, one answer is for the whole run."""
        answer = self._answered(key)
        if answer is None:
            if on_a_loop():
                raise LookFirstError(partial(self._make, key, request, keep=keep))
            answer = self._make(key, request, keep=keep)
        if answer.error is None:
            return answer.value
        if missing_ok and isinstance(answer.error, FileNotFoundError):
            raise answer.error
        raise self._told(answer.error) from answer.error

    def _answered(self, key: tuple[str, ...]) -> _Answer | None:
        answer = self._had.get(key)
        return answer if answer is not None and monotonic() < answer.until else None

    def _make(self, key: tuple[str, ...], request: Callable[[], Any], *, keep: bool) -> _Answer:
        """Make the request, or wait for whoever is making it at this moment."""
        from concurrent.futures import Future

        mine: Future[_Answer] = Future()
        flight = self._under_way.setdefault(key, mine)
        if flight is mine:
            try:
                answer = self._answered(key)
                if answer is None:
                    answer = _answer_to(request)
                    self._keep(key, answer, keep=keep)
                flight.set_result(answer)
            except BaseException as error:  # noqa: BLE001  # raised by whoever asks for the result
                flight.set_exception(error)
            finally:
                del self._under_way[key]
        return flight.result()

    def _keep(self, key: tuple[str, ...], answer: _Answer, *, keep: bool) -> None:
        if keep and (answer.error is None or isinstance(answer.error, FileNotFoundError)):
            self._had[key] = answer
        elif answer.error is not None:
            answer.until = monotonic() + FAILED_FOR_SECONDS  # it may go well the next time
            self._had[key] = answer

    def may_read(self, entry: Entry) -> bool:
        """Whether the bytes of an object may be read for its digest."""
        if self._left is None:
            return True
        cost = max(entry.size, LOOK_BYTES)
        if cost > self._left:
            return False
        self._left -= cost
        return True

    def _told(self, error: OSError | PipeError) -> PipeError:
        if isinstance(error, FileNotFoundError):
            return ExpressionError(f"`{error.filename}` does not exist: {error.strerror}", code="files.missing")
        if isinstance(error, ExpressionError):
            return error
        hint = getattr(error, "hint", None)
        if self.begun:
            return ExpressionError(str(error), code="files.storage", hint=hint)
        return error if isinstance(error, UsageError) else AccessError(str(error), code="access.storage", hint=hint)


def measure_some(values: Iterable[Any]) -> None:
    """The digests of objects that stand in params, several at a time, as far as they may be read."""
    found = [value for given in values for value in (given if isinstance(given, list) else [given])]
    unknown = [value for value in found if isinstance(value, ObjectFile) and not value.known]
    if not unknown:
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda file: file.sha256, unknown))


class _Answer:
    """What a request gave: a value, or why there is none."""

    __slots__ = ("error", "until", "value")

    def __init__(self, value: Any, error: OSError | PipeError | None = None) -> None:
        self.value = value
        self.error = error
        self.until = inf


def _answer_to(request: Callable[[], Any]) -> _Answer:
    try:
        return _Answer(request())
    except (OSError, PipeError) as error:
        return _Answer(None, error)


def _looked_at(url: ObjectUrl) -> Entry:
    found = open_storage(url.scheme).look(url)
    if found is None:
        raise FileNotFoundError(2, "no such object", url.text)
    return found


def _parsed(url: ObjectUrl) -> Json:
    from speedpix_pipe.files.storage.bytes import blocks_of

    entry = _looked_at(url)
    if entry.size > READ_LIMIT:
        raise too_large(url.text)
    try:
        return parse_file(b"".join(blocks_of(entry)), url.name, url.text)
    except ChangedObjectError as error:
        raise StorageError(url.text, "changed while it was read", "run again") from error
