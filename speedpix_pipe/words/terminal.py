"""Every word of the terminal: the live view, plain lines, the closing summary, the frame around errors."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "error": ("error:", "错误："),
    "warning": ("warning:", "警告："),
    "hint": ("hint:", "提示："),
}
