import asyncio
import hashlib
import os
import tracemalloc

import httpx
import pytest

from speedpix_pipe.sdk import transfer

pytestmark = pytest.mark.anyio


async def test_files_go_up_and_come_down_without_credentials(service, tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a.bin").write_bytes(content)
    url = service.url + "/bucket/a.bin?sig=1"
    async with transfer.open_client(trust_env=False) as http:
        sent = await transfer.put_file(http, url, tmp_path / "a.bin", "image/x-odd")
        got = await transfer.download(http, url, tmp_path / "b.bin")
    assert (sent.sha256, sent.size) == (got.sha256, got.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert got.content_type == "image/x-odd"
    assert (tmp_path / "b.bin").read_bytes() == content
    assert not [name for name in service.seen[0].headers if name.lower().startswith("x-ca")]


def test_threads_have_the_same(service, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    with transfer.open_client_sync(trust_env=False) as http:
        assert transfer.put_file_sync(http, service.url + "/b/a", tmp_path / "a.bin", "x/y").size == 3
        assert transfer.download_sync(http, service.url + "/b/a", tmp_path / "b.bin").size == 3


async def test_any_httpx_client_will_do(service, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    async with httpx.AsyncClient(trust_env=False) as http:
        await transfer.put_file(http, service.url + "/b/a", tmp_path / "a.bin", "x/y")
        assert (await transfer.download(http, service.url + "/b/a", tmp_path / "b.bin")).size == 3


async def test_a_refused_url_says_so_and_leaves_nothing(service, wire, tmp_path):
    service.answer("get", wire.Reply(b"<Error><Code>AccessDenied</Code></Error>", 403))
    async with transfer.open_client(trust_env=False) as http:
        with pytest.raises(transfer.DownloadError) as caught:
            await transfer.download(http, service.url + "/x", tmp_path / "a")
        with pytest.raises(transfer.FileError):
            await transfer.download(http, "http://x:bad/", tmp_path / "a")
    assert caught.value.http_status in transfer.EXPIRED_STATUSES
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
async def test_a_big_file_does_not_move_peak_memory(tmp_path):
    size, block = 128 << 20, bytes(1 << 16)

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"PUT"):
            left = size
            while left:
                left -= len(await reader.read(1 << 16))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // len(block)):
                writer.write(block)
                await writer.drain()
        writer.close()

    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(size)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    async with server, transfer.open_client(trust_env=False) as http:
        tracemalloc.start()
        sent = await transfer.put_file(http, url, tmp_path / "big.bin", "x/y")
        got = await transfer.download(http, url, tmp_path / "copy.bin")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sent.sha256 == got.sha256
    assert got.size == size
    assert peak < 32 << 20
