"""URLs of objects as a spec writes them: no secret in any, and none where only a folder of this machine will do."""

from __future__ import annotations

from collections.abc import Iterator

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import names_object, safe_save_path
from speedpix_pipe.files.storage import covered, object_url, secret_in
from speedpix_pipe.files.storage.urls import OWN_HINT
from speedpix_pipe.model import Literal, Template, Text
from speedpix_pipe.spec.draft import Draft
from speedpix_pipe.spec.places import Node


def refuse_secrets(draft: Draft, root: Node) -> None:
    """A spec lies in git: a password or a signature in it is refused wherever it stands, and never shown."""
    if secret_in(draft.source.text) is None:
        return
    for node in _texts(root):
        wrong = secret_in(node.value)
        if wrong is not None:
            message = f"the URL {covered(node.value)[:200]} {wrong}"
            draft.add(node.problem("spec.url-secret", message, hint=OWN_HINT))


def check_object_url(draft: Draft, node: Node, text: str) -> None:
    """The form of a URL that names one object. Whether there is one is not looked at."""
    if secret_in(text) is not None:
        return  # said once for the whole file
    try:
        object_url(text)
    except ExpressionError as error:
        draft.add(node.problem("spec.url", error.message, hint=error.hint))


def check_target(draft: Draft, node: Node, template: Template) -> None:
    """A `save` target that begins like an object's URL: storage and bucket are the author's own words."""
    head = template.value if isinstance(template, Literal) else ""
    if isinstance(template, Text) and isinstance(template.parts[0], str):
        head = template.parts[0]
    if not isinstance(head, str) or not names_object(head) or secret_in(head) is not None:
        return
    try:
        safe_save_path(head, "" if isinstance(template, Literal) else "x")
    except ExpressionError as error:
        draft.add(node.problem("spec.url", error.message, hint=error.hint))


def refuse_object(draft: Draft, node: Node | None, what: str) -> None:
    """Where a folder of this machine is meant."""
    if node is not None and isinstance(node.value, str) and names_object(node.value):
        message = f"{what} must be a folder on this machine's file system, not a URL: hot folders are file systems only"
        hint = "watch a folder that is mounted here, or run over the objects: `type: files` takes s3:// patterns"
        draft.add(node.problem("spec.watch-url", message, hint=hint))


def _texts(root: Node) -> Iterator[Node]:
    todo, seen = [root], set[int]()
    while todo:
        node = todo.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node.value, str):
            yield node
        todo.extend(node.members.values())
        todo.extend(node.items)
