"""A process that forks after the SDK was used: its child works, and neither harms the other."""

import subprocess
import sys

FILES = """
import asyncio, os
from speedpix_pipe.sdk._sleep import async_in_thread

async def whose():
    return await asyncio.wait_for(async_in_thread(os.getpid), 5)

assert asyncio.run(whose()) == os.getpid()
child = os.fork()
if not child:
    ok = False
    try:
        ok = asyncio.run(whose()) == os.getpid()
    finally:
        os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""

CONNECTIONS = """
import os, sys
from speedpix_pipe.sdk import SpeedPix

client = SpeedPix("key", "secret", sys.argv[1], trust_env=False)
client.predictions.get("parent")
child = os.fork()
if not child:
    ok = False
    try:
        client.predictions.get("child")
        client.close()
        ok = True
    finally:
        os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
client.predictions.get("parent")
"""

LOOPS = """
import asyncio, os, sys
from speedpix_pipe.sdk import AsyncSpeedPix

client = AsyncSpeedPix("key", "secret", sys.argv[1], trust_env=False)

async def parent():
    await client.predictions.get("parent")
    child = os.fork()
    if not child:
        ok = False
        try:
            ok = asyncio.run(client.predictions.get("child")).done
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    await client.predictions.get("parent")

asyncio.run(parent())
"""


def runs(script, *arguments):
    # In a process of its own: this one has threads, with which no test should fork.
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_child_has_a_thread_for_files():
    runs(FILES)


def test_a_child_has_connections_of_its_own_and_its_parent_keeps_its_own(service):
    runs(CONNECTIONS, service.url)
    peers = {who: {seen.peer for seen in service.calls() if seen.json["taskId"] == who} for who in ("parent", "child")}
    assert len(peers["parent"]) == 1
    assert not peers["parent"] & peers["child"]


def test_a_client_moves_into_the_childs_loop_though_its_parents_seems_to_run(service):
    runs(LOOPS, service.url)
