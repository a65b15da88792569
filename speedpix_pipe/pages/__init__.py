"""What every page of ours is made with, the gallery and the live one: one escaping template environment, a content
policy that lets nothing run but the page's own program, JSON that is safe inside HTML, and thumbnails.

What a page shows is decided above.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

import jinja2

from speedpix_pipe.model import Json

__all__ = ["embed", "environment", "policy", "script_of"]


@cache
def environment(templates: Path) -> jinja2.Environment:
    """Templates of one room. Everything is escaped, and what is not defined is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["duration"] = _duration
    made.filters["number"] = lambda count: f"{count:,}"
    made.filters["money"] = lambda amount: f"{amount:,.2f}"
    return made


@cache
def script_of(folder: Path, names: tuple[str, ...]) -> str:
    """A page's program: its parts in order, one scope around them."""
    parts = "\n".join((folder / name).read_text("utf-8") for name in names)
    return f'"use strict";\n(() => {{\n{parts}\n}})();\n'


def policy(style: str, script: str, *, pictures: str, connect: str = "") -> str:
    """A content policy: only this style and program run; `pictures` and `connect` are where those may come from."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    allowed = f"img-src {pictures} data:; media-src {pictures}; " + (f"connect-src {connect}; " if connect else "")
    own = f"style-src {digest(style)}; script-src {digest(script)}"
    return f"default-src 'none'; base-uri 'none'; form-action 'none'; {allowed}{own}"


def embed(value: Json) -> str:
    """JSON that is safe inside a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
