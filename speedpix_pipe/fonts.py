"""The font of our own letters: one that has Chinese, Japanese, Korean and Latin, the same on every machine.

It comes with a package, so that pictures do not depend on what a machine happens to have installed.
Pillow is imported when a font is asked for.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.errors import PipeError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

PACKAGE = "paperang_p2_fonts_cjk"  # a font in a wheel: WenQuanYi Micro Hei
FILE = "fonts/wqy-microhei.ttc"


class FontError(PipeError):
    code = "font.unreadable"


def default_font() -> Path:
    """Where our font lies. The package is found but not imported: it has nothing to run."""
    found = find_spec(PACKAGE)
    places = [] if found is None else found.submodule_search_locations or []
    for place in places:
        if (path := Path(place, FILE)).is_file():
            return path
    raise FontError(f"the font package {PACKAGE} is not installed", hint="install speedpix-pipe again")


def load_font(size: float, path: str | Path | None = None) -> FreeTypeFont:
    """Our font, or the one in a file, at a height in pixels."""
    return _loaded(str(path or default_font()), size)


@lru_cache(maxsize=64)
def _loaded(path: str, size: float) -> FreeTypeFont:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(path, size)
    except (OSError, ValueError) as error:
        raise FontError(f"{Path(path).name}: is no font that can be read") from error
