"""Paths: how they are written, shown and compared, and which a run may write.

Nothing here touches the disk except `safe_join`, which must know where links lead.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files.storage.urls import ObjectUrl, names_object, object_url

_FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')  # what Windows does not have in names; `/` never reaches it
_TRAILING = re.compile(r"[. ]+\Z")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)
_NAME_BYTES = 240  # 255 on most file systems, less what `-2` and the name of an unfinished file add
_PATH_BYTES = 3900


def resolve(text: str, folder: Path) -> Path:
    """The path that `text` means when it is written in `folder`; `~` is the home folder."""
    # Path.expanduser raises where there is no such user, and each Path on the way costs 5 microseconds.
    return Path(os.path.normpath(os.path.join(folder, os.path.expanduser(text))))  # noqa: PTH111, PTH118


def address_of(text: str, folder: Path) -> Path | ObjectUrl:
    """What a text means that may be a path or the URL of an object. ExpressionError for a URL that is neither."""
    return object_url(text) if "://" in text and names_object(text) else resolve(text, folder)


def shown_address(address: Path | ObjectUrl, folder: Path) -> str:
    return address.text if isinstance(address, ObjectUrl) else shown_path(address, folder)


def shown_path(path: Path | str, folder: Path | str) -> str:
    """Relative to `folder` with `/` between names, or absolute if it lies outside."""
    text, inside = os.fspath(path), os.fspath(folder)
    if text == inside:
        return "."
    start = inside if inside.endswith(os.sep) else inside + os.sep
    text = text.removeprefix(start)
    return text.replace(os.sep, "/") if os.sep != "/" else text


def safe_join(folder: Path, relative: str) -> Path:
    """`folder / relative`, refused if it would leave the folder by `..`, an absolute path or a link."""
    if "\0" in relative:
        raise ExpressionError("a path with a NUL byte", code="files.outside")
    joined = folder / relative
    lexical = os.path.normpath(joined)
    inside = os.path.normpath(folder)
    real = joined.resolve()
    if not Path(lexical).is_relative_to(inside) or not real.is_relative_to(folder.resolve()):
        raise ExpressionError(f"`{relative}` leads out of its folder", code="files.outside")
    return Path(lexical)


def safe_save_path(trusted: str, rest: str) -> str:
    """The path of a rendered `save` target.

    `trusted` is the fixed text before the first expression and stays as the author wrote it, up to its last `/`;
    `rest` is everything after it as rendered. Raises before anything is paid for.
    """
    is_object = names_object(trusted)
    if is_object and rest and "/" not in trusted.partition("://")[2]:
        raise ExpressionError(
            f"`{trusted}`: the bucket must stand in the fixed text, before the first expression",
            code="save.path",
            hint="write s3://BUCKET/... and let expressions give what follows",
        )
    head, slash, start = trusted.rpartition("/")
    if not rest:
        if start in {"", ".", ".."}:
            raise _refused(trusted, "names no file")
        return object_url(trusted).text if is_object else trusted
    parts = [part for part in (start + rest).split("/") if part != "."]
    if not parts or (start + rest).endswith("/."):
        raise _refused(trusted + rest, "names no file")
    for part in parts:
        if part == "":
            why = "is absolute" if not trusted and rest.startswith("/") else "has an empty part"
            raise _refused(trusted + rest, why)
        if part == "..":
            raise _refused(trusted + rest, "has a part `..`")
    if not slash and parts[0].startswith("~"):  # it would mean a home folder
        raise _refused(trusted + rest, "begins with `~`")
    path = head + slash + "/".join(map(_safe_name, parts))
    if len(path.encode("utf-8", "replace")) > _PATH_BYTES:
        raise _refused(path, "is too long")
    return object_url(path).text if is_object else path


def safe_file_name(trusted: str, rest: str) -> str:
    """A rendered text of the spec that names a file to be read: a path, or an object's URL.

    As in `safe_save_path`, what expressions give stays below the fixed text before the first of them.
    """
    text = trusted + rest
    if names_object(text):
        if "/" not in trusted.partition("://")[2]:
            raise _strays(text, "has a bucket that an expression gives")
        return text  # its key cannot climb
    _, slash, start = trusted.rpartition("/")
    if not slash and text.startswith("/"):
        raise _strays(text, "is absolute")
    if not slash and text.startswith("~"):
        raise _strays(text, "begins with `~`")
    if ".." in (start + rest).split("/"):
        raise _strays(text, "has a part `..`")
    return text


def _strays(text: str, why: str) -> ExpressionError:
    shown = text if len(text) <= 120 else text[:119] + "…"
    return ExpressionError(
        f"the file `{shown}` {why}, because of a value in it",
        code="files.outside",
        hint="write ${{ file(...) }} to take a file wherever it is",
    )


def _safe_name(part: str) -> str:
    name = _FORBIDDEN.sub("_", part)
    name = _TRAILING.sub(lambda found: "_" * len(found.group()), name)
    if _RESERVED.match(name):
        name = "_" + name
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise _refused(ascii(part), "is not valid Unicode") from None
    if size > _NAME_BYTES:
        raise _refused(part, f"has a part of {size} bytes, more than {_NAME_BYTES}")
    return name


def _refused(path: str, why: str) -> ExpressionError:
    shown = path if len(path) <= 120 else path[:119] + "…"
    return ExpressionError(
        f"the path `{shown}` {why}",
        code="save.path",
        hint="values in a `save` path must make plain names; try the filter `slug`",
    )


def collision_key(path: str, folder: Path) -> str:
    """Equal for two paths that a file system may take for one, whichever folders they are written in: no case, NFC.

    `save` targets that use `ext` are rendered with one constant in its place, so that any extension collides.
    """
    if not ("://" in path and names_object(path)):
        path = os.path.join(folder, os.path.expanduser(path))  # noqa: PTH111, PTH118 - for each task: see `resolve`
    plain = os.path.normpath(path)
    if plain.isascii():
        return plain.lower()  # the same, for the many
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", plain).casefold())
