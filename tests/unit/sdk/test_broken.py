"""What went wrong on the network, as a sentence that names the host; and how long a wrong name keeps one waiting."""

import asyncio
import errno
import socket
import ssl

import httpx
import pytest

from speedpix_pipe.sdk import AsyncSpeedPix, ConnectError, SpeedPix
from speedpix_pipe.sdk._broken import broken_off, transport_error
from speedpix_pipe.sdk._config import parse_timeout

pytestmark = pytest.mark.anyio
URL = "https://api.example:8443/prefix/scc/comfy_prompt?signature=secret"


def caused(error, root):
    """The error as a library raises it: from one of its own, from the system's."""
    middle = RuntimeError("Cannot connect to host api.example:8443 ssl:<ssl.SSLContext object at 0x7f>")
    error.__cause__, middle.__cause__ = middle, root
    return error


def tls(reason):
    error = ssl.SSLError(1, "[SSL] words of OpenSSL (_ssl.c:1006)")
    error.reason = reason
    return error


def untrusted():
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] words of OpenSSL (_ssl.c:1006)")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("root", "words", "look_at", "again"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "there is no such host", "spelling", True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "cannot be looked up just now", "name server", True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "nothing listens there", "endpoint", True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no way leads there", "network", True),
        (TimeoutError(), "it does not answer", "endpoint", True),
        (untrusted(), "its certificate is not to be trusted (self-signed certificate)", "SSL_CERT_FILE", False),
        (tls("WRONG_VERSION_NUMBER"), "what listens there does not speak https", "port", False),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files", "endpoint", True),
    ],
)
def test_a_failed_connection_names_the_host_and_what_to_look_at(root, words, look_at, again):
    error = transport_error(caused(httpx.ConnectError("library"), root), "submit", URL)
    assert isinstance(error, ConnectError)
    assert error.message.startswith("cannot connect to api.example:8443: ")
    assert words in error.message
    assert look_at in error.remedy
    assert "nothing was sent" in error.remedy
    assert error.retryable is again
    assert error.surely_never_ran
    for foreign in ("ssl:", "SSLContext", "_ssl.c", "errno", "signature", "prefix"):
        assert foreign not in str(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            httpx.ProxyError("the proxy proxy.example:3128 refused with HTTP 407"),
            "proxy.example:3128 refused with HTTP",
        ),
        (httpx.ProxyError("407 Proxy Authentication Required"), "the proxy refused: 407 Proxy Authentication Required"),
        (httpx.ProxyError("http://user:word@proxy.example"), "the proxy refused"),
        (caused(httpx.ProxyError("http://user:word@proxy.example"), OSError(1, "x")), "the proxy cannot be reached"),
    ],
)
def test_a_proxy_is_named_as_such_and_its_password_stays_hidden(error, words):
    told = str(transport_error(error, "submit", URL))
    assert words in told
    assert "HTTPS_PROXY" in told
    assert ":word" not in told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused(httpx.ReadError("x"), ConnectionResetError(errno.ECONNRESET, "x")), "closed the connection"),
        (httpx.ReadError("the connection was lost: [Errno 104] Connection reset by peer"), "closed the connection"),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "closed the connection"),
        (httpx.RemoteProtocolError("peer closed connection without sending complete message body"), "closed the"),
        (httpx.RemoteProtocolError("the answer is not HTTP: x"), "gave an answer that is not HTTP"),
        (httpx.ReadError("odd words"), "cannot be heard any more: odd words"),
    ],
)
def test_a_connection_that_broke_says_who_broke_it(error, words):
    assert words in broken_off(error)
    assert str(transport_error(error, "progress", URL)).startswith("progress: api.example:8443 ")


async def test_a_service_that_never_answered_is_called_again_for_a_few_seconds_only(async_clock, clock):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        began = async_clock.monotonic()
        async with AsyncSpeedPix("k", "s", f"http://{host}", clock=async_clock, random=lambda: 1.0) as client:
            with pytest.raises(ConnectError, match=f"cannot connect to {host}: nothing listens there"):
                await client.predictions.create("wf", {})
        assert 1 <= async_clock.monotonic() - began <= 5
        began = clock.monotonic()
        with SpeedPix("k", "s", f"http://{host}", clock=clock, random=lambda: 1.0) as threads:
            with pytest.raises(ConnectError, match=f"cannot connect to {host}: nothing listens there"):
                threads.predictions.create("wf", {})
        assert 1 <= clock.monotonic() - began <= 5


async def test_a_server_without_tls_is_told_at_once(async_clock, clock):
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"

        def talk():
            peer, _ = server.accept()
            with peer:
                peer.recv(100)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        answering = asyncio.ensure_future(asyncio.to_thread(talk))
        began = async_clock.monotonic()
        async with AsyncSpeedPix("k", "s", f"https://{host}", clock=async_clock) as client:
            with pytest.raises(ConnectError, match="does not speak https"):
                await client.predictions.create("wf", {})
        await answering
        assert async_clock.monotonic() == began
        answering = asyncio.ensure_future(asyncio.to_thread(talk))
        with SpeedPix("k", "s", f"https://{host}", clock=clock) as threads:
            with pytest.raises(ConnectError, match="does not speak https"):
                await asyncio.to_thread(threads.predictions.create, "wf", {})
        await answering


def test_making_a_connection_has_ten_seconds():
    assert parse_timeout(30).connect == 10
    assert parse_timeout(2.5).connect == 2.5
    assert parse_timeout(httpx.Timeout(60)).connect == 60
