import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[3] / "_tools/unasync.py"
spec = importlib.util.spec_from_file_location("unasync", TOOL)
unasync = importlib.util.module_from_spec(spec)
spec.loader.exec_module(unasync)


@pytest.mark.slow
def test_the_synchronous_face_is_up_to_date():
    assert unasync.stale(unasync.wanted()) == []


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("async def f(c: AsyncClient) -> None:", "def f(c: Client) -> None:"),
        ("x = await async_in_thread(f)", "x = in_thread(f)"),
        ("async for c in r.aiter_raw():", "for c in r.iter_raw():"),
        ("async with a as b:", "with a as b:"),
        ("async def __aexit__(self):", "def __exit__(self):"),
        ("from speedpix_pipe.sdk._async.x import y", "from speedpix_pipe.sdk._sync.x import y"),
        ("    # unasync: insert z: int = 1,", "    z: int = 1,"),
        ("# unasync: append to next  # reason\nx = 1", "x = 1  # reason"),
        ("f: Callable[[], Awaitable[int]]", "f: Callable[[], int]"),
    ],
)
def test_the_rules(source, result):
    assert unasync.translate(source) == result + "\n"
