"""Buckets that a spec saves to: there, and within reach, before anything is paid for.

One request for each. That it may also be written to shows with the first result; what cannot be saved is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from speedpix_pipe.app.specs import Loaded, pipelines_of
from speedpix_pipe.errors import AccessError, UsageError
from speedpix_pipe.files import ObjectUrl, names_object
from speedpix_pipe.files.storage import DeniedError, NobodyError, StorageError, open_storage
from speedpix_pipe.model import Literal, Template, Text

_PROBE = ".speedpix-pipe/"  # a beginning that no object has: an empty listing is answer enough


def buckets_of(loaded: Loaded) -> list[ObjectUrl]:
    """Each bucket once, as the beginning of what would stand in it."""
    found: dict[str, ObjectUrl] = {}
    for pipeline in pipelines_of(loaded.pipeline):
        for step in pipeline.steps.values():
            for rule in step.save:
                for head in _heads(rule.target):
                    scheme, _, rest = head.partition("://")
                    url = ObjectUrl(f"{scheme.lower()}://{rest.partition('/')[0]}/{_PROBE}")
                    found[url.text] = url
    return list(found.values())


def look_for(buckets: list[ObjectUrl]) -> None:
    """Blocks. UsageError for a bucket or a package that is not there, AccessError for a store out of reach."""
    for url in buckets:
        try:
            for _ in open_storage(url.scheme).list(url, deep=True):
                break
        except DeniedError as error:
            if isinstance(error, NobodyError):
                raise AccessError(str(error), code="access.storage", hint=error.hint) from error
            continue  # who may write need not be allowed to list
        except StorageError as error:
            raise AccessError(str(error), code="access.storage", hint=error.hint) from error
        except FileNotFoundError as error:
            bucket = url.text.removesuffix(_PROBE)
            hint = "make it, or correct the `save`"
            raise UsageError(
                f"nothing can be saved to {bucket}: {error.strerror}", code="usage.bucket", hint=hint
            ) from error


def _heads(target: Template) -> Iterator[str]:
    """The fixed text that a target begins with, if it is an object's."""
    head = target.value if isinstance(target, Literal) else target.parts[0] if isinstance(target, Text) else None
    if isinstance(head, str) and names_object(head):
        yield head
