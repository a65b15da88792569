"""Films of the emulator, taken apart again. That browsers play them is a test of the gallery."""

import io
import struct

from PIL import Image, ImageChops, ImageStat

from speedpix_pipe.emulator.webm import webm
from speedpix_pipe.emulator.workflows import WORKFLOWS
from speedpix_pipe.emulator.workflows.base import Inputs
from speedpix_pipe.files.content import sniff

SEGMENT, INFO, CUES, CLUSTER, BLOCK = 0x18538067, 0x1549A966, 0x1C53BB6B, 0x1F43B675, 0xA3
MASTERS = {SEGMENT, CUES, CLUSTER, INFO, 0xBB, 0xB7}


def elements(content, start=0, end=None):
    """(id, where it begins, what is in it) of each element, at every depth."""
    at, end = start, len(content) if end is None else end
    while at < end:
        begin, length = at, 1
        while not content[at] & (0x80 >> (length - 1)):
            length += 1
        name = int.from_bytes(content[at : at + length], "big")
        at += length
        assert content[at] == 1, "lengths of eight bytes"
        size = int.from_bytes(content[at + 1 : at + 8], "big")
        at += 8
        yield name, begin, content[at : at + size]
        if name in MASTERS:
            yield from elements(content, at, at + size)
        at += size
    assert at == end


def picture_of(block):
    """The key frame of a block, put back into a WebP."""
    frame = block[4:] + b"\0" * (len(block) % 2)
    chunk = b"VP8 " + struct.pack("<I", len(block) - 4) + frame
    return Image.open(io.BytesIO(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)).convert("RGB")


def difference(a, b):
    return sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) / 3


def test_every_frame_is_there_in_time():
    frames = [Image.new("RGB", (47, 31), color) for color in ("red", "green", "blue")]
    content = webm(frames, frames_per_second=5)
    assert sniff(content) == ("video/webm", "webm")
    blocks = [inside for name, _, inside in elements(content) if name == BLOCK]
    assert [block[0] for block in blocks] == [0x81] * 3
    assert [struct.unpack(">h", block[1:3])[0] for block in blocks] == [0, 200, 400]
    for block, frame in zip(blocks, frames, strict=True):
        assert difference(picture_of(block), frame) < 3


def test_the_index_leads_to_the_frames():
    content = webm([Image.new("RGB", (8, 8))], frames_per_second=10)
    found = {name: (begin, inside) for name, begin, inside in elements(content)}
    segment = found[SEGMENT][0] + 12  # behind its id and length
    assert segment + int.from_bytes(found[0xF1][1], "big") == found[CLUSTER][0]
    assert struct.unpack(">d", found[0x4489][1]) == (100.0,)


def test_image_to_video_makes_one_when_asked():
    photo = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((90, 60)).save(photo, "PNG")
    given = Inputs({"image": "http://x/1", "frames": 4, "format": "webm"}, lambda _: photo.getvalue())
    made = WORKFLOWS["image-to-video"].run(given)["images"]
    assert (made.kind, made.content_type, made.width, made.height) == ("video", "video/webm", 90, 60)
    frames = [picture_of(inside) for name, _, inside in elements(made.content) if name == BLOCK]
    assert difference(frames[0], frames[3]) > difference(frames[0], frames[1]) > 0
