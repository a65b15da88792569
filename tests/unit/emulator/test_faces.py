"""The three ways to have an emulator: on a loop, in a thread, in a process of its own."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from aiohttp import ClientSession

from speedpix_pipe.emulator import Emulator, EmulatorOptions, EmulatorThread, Fault

SERVE = """
from speedpix_pipe.emulator import EmulatorOptions, serve
serve(EmulatorOptions(), lambda url: print(url, flush=True))
"""


def test_on_a_loop():
    async def ask():
        async with Emulator() as emulator, ClientSession() as session:
            async with session.get(emulator.url + "/_emulator/counters") as answer:
                counted = await answer.json()
            emulator.add_fault(Fault.parse("poll:busy"))
            emulator.clear_faults()
            emulator.reset()
            return counted, emulator.counters, emulator.predictions()

    counted, own, predictions = asyncio.run(ask())
    assert (counted["connections"], own["connections"], predictions) == (1, 0, [])


def test_in_a_thread_it_ends_with_its_block_and_leaves_nothing_behind():
    before = set(Path(tempfile.gettempdir()).glob("speedpix-emulator-*"))
    with EmulatorThread() as emulator:
        address = ("127.0.0.1", int(emulator.url.rpartition(":")[2]))
        socket.create_connection(address).close()
        assert len(set(Path(tempfile.gettempdir()).glob("speedpix-emulator-*")) - before) >= 1
        emulator.reset()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_connections_that_arrive_while_it_closes_are_closed_too():
    for _ in range(5):
        emulator = EmulatorThread()
        emulator.start()
        address = ("127.0.0.1", int(emulator.url.rpartition(":")[2]))
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(address)) for _ in range(3)]
            emulator.close()
            for client in clients:
                client.settimeout(5)
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(1) == b""


def test_it_listens_on_loopback_only():
    with EmulatorThread(EmulatorOptions(fast=True)) as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_a_process_of_its_own_it_ends_cleanly_on_a_signal(number):
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        url = process.stdout.readline().decode().strip()
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
        process.send_signal(number)
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, b"")
