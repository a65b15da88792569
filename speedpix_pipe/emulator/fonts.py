"""The one typeface of the emulator: WenQuanYi Micro Hei, which has Latin, Chinese, Japanese and Korean.

It comes from a package of its own and not from this repository. Without that package Pillow's built-in face
answers, which knows no Chinese.
"""

import functools
from importlib import resources

from PIL import ImageFont

__all__ = ["load_font"]

_PACKAGE = "paperang_p2_fonts_cjk"
_FILE = "fonts/wqy-microhei.ttc"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@functools.lru_cache(maxsize=64)
def load_font(size: int) -> Font:
    try:
        found = resources.files(_PACKAGE) / _FILE
        with resources.as_file(found) as path:
            return ImageFont.truetype(path, size)
    except (ModuleNotFoundError, FileNotFoundError):
        return ImageFont.load_default(size)
