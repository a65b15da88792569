"""What went wrong on the network, in words that name the host and say what to look at.

The libraries below say `Cannot connect to host x:443 ssl:<ssl.SSLContext object at 0x7f...>`; the error of the system
that is behind it says what happened. Values in, values out; no I/O.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

import httpx

from speedpix_pipe.sdk.errors import BadRequestError, ConnectError, SpeedPixError, SpeedPixTimeoutError, TransportError

_SENT: Final = "nothing was sent."
_ENDPOINT: Final = f"Check the endpoint, the network and HTTPS_PROXY; {_SENT}"
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"})
_NO_WAY: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_CLOSED_WORDS: Final = ("closed", "disconnected", "was lost")  # of the transports of both faces
_CLOSED: Final = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})


def transport_error(error: Exception, what: str, url: httpx.URL | str) -> SpeedPixError:
    """The SDK's error, and with it whether the service can have seen the request at all."""
    host = _host(url)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        return BadRequestError(f"{what}: this request cannot be sent: {_detail(error)}", surely_never_ran=True)
    if isinstance(error, httpx.PoolTimeout):
        words, remedy = f"{what}: no connection was free in time", f"Make fewer calls at once; {_SENT}"
        return ConnectError(words, retryable=True, surely_never_ran=True, remedy=remedy)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        words, remedy, lasting = _unconnected(error, host)
        message = f"cannot connect to {host}: {words}"
        return ConnectError(message, retryable=not lasting, surely_never_ran=True, remedy=remedy)
    if isinstance(error, httpx.TimeoutException):
        return SpeedPixTimeoutError(f"{what}: no answer from {host} in time", retryable=True)
    return TransportError(f"{what}: {host} {broken_off(error)}", retryable=True)


def broken_off(error: Exception) -> str:
    """What the other side did to a connection that stood."""
    root, words = _root(error), str(error).lower()
    if (isinstance(root, OSError) and root.errno in _CLOSED) or any(word in words for word in _CLOSED_WORDS):
        return "closed the connection before its answer was complete"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"gave an answer that is not HTTP: {_detail(error)}"
    return f"cannot be heard any more: {_detail(root)}"


def _unconnected(error: Exception, host: str) -> tuple[str, str, bool]:
    """Why there is no connection, what to look at, and whether asking again is of no use."""
    root = _root(error)
    if isinstance(error, httpx.ProxyError):
        return _proxys_words(error, root), f"Check HTTPS_PROXY and NO_PROXY; {_SENT}", False
    match root:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return "its name cannot be looked up just now", f"Check the network and its name server; {_SENT}", False
        case socket.gaierror():
            return "there is no such host", f"Check the spelling of the endpoint, and the network; {_SENT}", False
        case ssl.SSLCertVerificationError(verify_message=why):
            remedy = f"Check the endpoint, this machine's clock and its certificates (SSL_CERT_FILE); {_SENT}"
            return f"its certificate is not to be trusted ({why})", remedy, True
        case ssl.SSLError(reason=reason) if reason in _NO_TLS:
            return "what listens there does not speak https", f"Check the port of the endpoint; {_SENT}", True
        case ConnectionRefusedError() | OSError(errno=errno.ECONNREFUSED):
            return "nothing listens there", _ENDPOINT, False
        case OSError(errno=number) if number in _NO_WAY:
            return "no way leads there from this machine", f"Check the network and HTTPS_PROXY; {_SENT}", False
        case TimeoutError() | httpx.ConnectTimeout():
            return "it does not answer", _ENDPOINT, False
    return _detail(root).replace(host, "it"), _ENDPOINT, False


def _proxys_words(error: Exception, root: BaseException) -> str:
    """Our own transport names the proxy by host and port; another one's words may hold its password."""
    if isinstance(root, OSError):
        return "the proxy cannot be reached"
    words = str(error)
    return words if words.startswith("the proxy") else f"the proxy refused: {words.partition('://')[0]}"


def _root(error: BaseException) -> BaseException:
    """The system's own error, behind those of the libraries."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def _detail(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _host(url: httpx.URL | str) -> str:
    """Host and port, without what a URL may know beyond them."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        return "the host"
    return f"{found.host}:{found.port}" if found.port else found.host
