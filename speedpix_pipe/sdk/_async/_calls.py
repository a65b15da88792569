"""One way to the API for the whole client: sign, send, read, and repeat what may be repeated.

What an answer means is decided in `_wire` and `_policy`; here is only the order of things.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

import httpx

from speedpix_pipe.sdk import _auth, _policy, _wire
from speedpix_pipe.sdk._config import Config, Proxies
from speedpix_pipe.sdk._lanes import Lanes, async_lane
from speedpix_pipe.sdk._policy import RetryPolicy
from speedpix_pipe.sdk._polling import ReadCeiling
from speedpix_pipe.sdk._sleep import AsyncClock, AsyncTurns
from speedpix_pipe.sdk._wire import Envelope, Operation
from speedpix_pipe.sdk.errors import ClockSkewError, RateLimitError, SignatureError, SpeedPixError, SpeedPixTimeoutError

T = TypeVar("T")
SUBMIT_READ_TIMEOUT: Final = 120.0
_LOG = logging.getLogger("speedpix_pipe.sdk")


class AsyncCalls:
    """The connections, the clock and the rules that all parts of one client share."""

    def __init__(
        self,
        config: Config,
        *,
        retry: RetryPolicy,
        max_reads_per_second: float,
        transport: httpx.AsyncBaseTransport | None,
        trust_env: bool,
        clock: AsyncClock,
        nonce: Callable[[], str],
        random: Callable[[], float],
    ) -> None:
        proxies = Proxies(trust_env=trust_env)
        self.clock = clock
        self.random = random
        self.retry = retry
        self.ceiling = ReadCeiling(max_reads_per_second)
        self.turns = AsyncTurns(clock, self.ceiling)
        self.auth = _auth.SpeedPixAuth(config.app_key, config.app_secret.reveal(), clock=clock.time, nonce=nonce)
        self.submissions = transport or async_lane(Lanes.SUBMIT.value, proxies)
        self.reads = transport or async_lane(Lanes.API.value, proxies)
        self.files = transport or async_lane(Lanes.FILES.value, proxies)
        base = str(config.endpoint).rstrip("/")
        self._urls = {operation: httpx.URL(base + operation.value) for operation in Operation}
        self._paths = {operation: url.raw_path.decode("ascii") for operation, url in self._urls.items()}
        self._user_agent = ("User-Agent", config.user_agent)
        self._timeout = config.timeout.as_dict()
        read = config.timeout.read
        self._submit_timeout = self._timeout | {"read": read if read is None else max(SUBMIT_READ_TIMEOUT, read)}

    async def aclose(self) -> None:
        for lane in (self.submissions, self.reads, self.files):
            await lane.aclose()

    async def call(
        self,
        operation: Operation,
        body: bytes,
        read: Callable[[Envelope], T],
        *,
        headers: tuple[tuple[str, str], ...] = (),
        attempts: int | None = None,
        deadline: float | None = None,
    ) -> T:
        """Make one call, as often as it takes and the policy allows. `deadline` is monotonic."""
        policy = self.retry if attempts is None else replace(self.retry, attempts=attempts)
        paid, corrected, attempt = operation is Operation.SUBMIT, False, 0
        while True:
            attempt += 1
            try:
                return read(await self._once(operation, body, headers, deadline))
            except ClockSkewError as error:
                # Its offset is known now. Once is enough: a second refusal is not about the clock.
                if corrected:
                    raise
                corrected, attempt, pause = True, attempt - 1, 0.0
                _LOG.warning("clock corrected by %.0f s: %s", self.auth.offset, error.message)
            except SpeedPixError as error:
                wait = policy.pause(error, attempt, paid=paid, random=self.random)
                if not paid and isinstance(error, RateLimitError):
                    self.ceiling.throttled(self.clock.monotonic())
                if wait is None or (deadline is not None and self.clock.monotonic() + wait >= deadline):
                    raise
                pause = wait
                _LOG.info("%s again in %.1f s: %s", operation.name.lower(), pause, error)
            if pause:
                await self.clock.sleep(pause)

    async def _once(
        self, operation: Operation, body: bytes, headers: tuple[tuple[str, str], ...], deadline: float | None
    ) -> Envelope:
        timeout = self._submit_timeout if operation is Operation.SUBMIT else self._timeout
        if deadline is not None:
            timeout = self._shortened(timeout, deadline)
        request = httpx.Request(
            "POST",
            self._urls[operation],
            headers=[self._user_agent, *headers, *self.auth.headers(self._paths[operation], body)],
            content=body,
            extensions={"timeout": timeout},
        )
        what = operation.name.lower()
        lane = self.submissions if operation is Operation.SUBMIT else self.reads
        try:
            response = await lane.handle_async_request(request)
            try:
                content = await self._read(response, timeout["read"])
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise _policy.transport_error(error, what) from error
        if _LOG.isEnabledFor(logging.DEBUG):
            _LOG.debug("%s: HTTP %d, %d bytes", what, response.status_code, len(content))
        try:
            return _wire.parse_envelope(response.status_code, response.headers, content)
        except SignatureError as error:
            self._explain(error, request, response)
            raise

    def _shortened(self, timeout: dict[str, float | None], deadline: float) -> dict[str, float | None]:
        """No call of a wait outlasts it by more than a second: whole seconds keep the number of timeouts small."""
        left = max(1.0, math.ceil(deadline - self.clock.monotonic()))
        return {name: left if value is None else min(value, left) for name, value in timeout.items()}

    async def _read(self, response: httpx.Response, patience: float | None) -> bytes:
        """The whole body; a server that drips bytes is given as long as one that is silent, ten times over."""
        if "content-encoding" in response.headers:
            return await response.aread()
        ends = None if patience is None else self.clock.monotonic() + 10 * patience
        chunks: list[bytes] = []
        stream: Any = response.stream
        async for chunk in stream:
            chunks.append(chunk)
            if ends is not None and self.clock.monotonic() > ends:
                raise SpeedPixTimeoutError("the answer came too slowly", retryable=True)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _explain(self, error: SignatureError, request: httpx.Request, response: httpx.Response) -> None:
        """Say which line of the signed text differs, or how far the clock is off."""
        if isinstance(error, ClockSkewError):
            offset = _policy.clock_offset(response.headers, self.clock.time())
            if offset is None:
                error.retryable = False
            else:
                self.auth.offset = offset
                error.remedy = f"This machine's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}."
            return
        ours = _auth.string_to_sign("POST", request.headers, request.url.raw_path.decode("ascii"))
        error.difference = _auth.compare(ours, error.message)
        if error.difference:
            error.remedy = f"{error.difference[0].upper()}{error.difference[1:]}."
