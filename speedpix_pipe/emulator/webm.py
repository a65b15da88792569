"""Video without an encoder: a lossy WebP picture is a VP8 key frame, and WebM is a box around such frames.

Every frame is a key frame, so the files are large for what they show, and play in every browser.
"""

import io
import struct
from collections.abc import Iterable

from PIL import Image

__all__ = ["webm"]

_QUALITY = 70
_VP8 = b"VP8 "


def webm(frames: Iterable[Image.Image], *, frames_per_second: int) -> bytes:
    """The frames as a WebM. All are of one size."""
    pictures = [frame.convert("RGB") for frame in frames]
    each = 1000 // frames_per_second
    width, height = pictures[0].size
    header = _box(
        0x1A45DFA3,
        _number(0x4286, 1), _number(0x42F7, 1), _number(0x42F2, 4), _number(0x42F3, 8),
        _box(0x4282, b"webm"), _number(0x4287, 2), _number(0x4285, 2),
    )  # fmt: skip
    info = _box(
        0x1549A966,
        _number(0x2AD7B1, 1_000_000),  # times are in milliseconds
        _box(0x4489, struct.pack(">d", float(each * len(pictures)))),
        _box(0x4D80, b"speedpix-pipe"),
        _box(0x5741, b"speedpix-pipe"),
    )
    video = _box(0xE0, _number(0xB0, width), _number(0xBA, height))
    track = _box(
        0xAE,
        _number(0xD7, 1), _number(0x73C5, 1), _number(0x83, 1), _number(0x9C, 0),
        _box(0x86, b"V_VP8"), _number(0x23E383, each * 1_000_000), video,
    )  # fmt: skip
    before = info + _box(0x1654AE6B, track)
    blocks = [_block(number * each, _key_frame(picture)) for number, picture in enumerate(pictures)]
    cluster = _box(0x1F43B675, _number(0xE7, 0), *blocks)
    return header + _box(0x18538067, before, _cues(len(before)), cluster)


def _cues(length: int) -> bytes:
    """Where the one cluster begins, so that players can jump and loop. Its own length is part of that."""

    def cues(position: int) -> bytes:
        place = _box(0xB7, _number(0xF7, 1), _number(0xF1, position, width=8))
        return _box(0x1C53BB6B, _box(0xBB, _number(0xB3, 0), place))

    return cues(length + len(cues(0)))


def _block(at: int, frame: bytes) -> bytes:
    return _box(0xA3, b"\x81", struct.pack(">h", at), b"\x80", frame)  # track 1, a key frame


def _key_frame(picture: Image.Image) -> bytes:
    """The VP8 frame inside a lossy WebP."""
    target = io.BytesIO()
    picture.save(target, "WEBP", quality=_QUALITY, method=0)
    content, at = target.getvalue(), 12
    while content[at : at + 4] != _VP8:
        at += 8 + _even(int.from_bytes(content[at + 4 : at + 8], "little"))
    length = int.from_bytes(content[at + 4 : at + 8], "little")
    return content[at + 8 : at + 8 + length]


def _even(length: int) -> int:
    return length + length % 2


def _box(name: int, *parts: bytes) -> bytes:
    """An EBML element: its id, eight bytes of length, what is in it."""
    inside = b"".join(parts)
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (len(inside) | 1 << 56).to_bytes(8, "big") + inside


def _number(name: int, value: int, *, width: int = 0) -> bytes:
    return _box(name, value.to_bytes(width or max(1, (value.bit_length() + 7) // 8), "big"))
