# Written by _tools/unasync.py from speedpix_pipe/sdk/_async/_calls.py; edit that and run it again.
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
from speedpix_pipe.sdk._broken import transport_error
from speedpix_pipe.sdk._config import Config, Proxies
from speedpix_pipe.sdk._lanes import DRIP_FACTOR, Lanes, Posted, lane
from speedpix_pipe.sdk._policy import RetryPolicy
from speedpix_pipe.sdk._polling import ReadCeiling
from speedpix_pipe.sdk._sleep import Clock, Home, Turns
from speedpix_pipe.sdk._wire import Envelope, Operation
from speedpix_pipe.sdk.errors import ClockSkewError, ConnectError, RateLimitError, SignatureError, SpeedPixError

T = TypeVar("T")
SUBMIT_READ_TIMEOUT: Final = 120.0
FIRST_CONTACT: Final = 4.0  # how long a service that never answered is called again
FIRST_PAUSE: Final = 1.0
_LOG = logging.getLogger("speedpix_pipe.sdk")


class Calls:
    """The connections, the clock and the rules that all parts of one client share."""

    def __init__(
        self,
        config: Config,
        *,
        retry: RetryPolicy,
        max_reads_per_second: float,
        transport: httpx.BaseTransport | None,
        trust_env: bool,
        clock: Clock,
        nonce: Callable[[], str],
        random: Callable[[], float],
    ) -> None:
        proxies = Proxies(trust_env=trust_env)
        self.clock = clock
        self.answered = False  # whether anything ever answered at the endpoint
        self.random = random
        self.retry = retry
        self._policies: dict[int, RetryPolicy] = {}  # for callers that want another number of attempts
        self.ceiling = ReadCeiling(max_reads_per_second)
        self.turns = Turns(clock, self.ceiling)
        self.home = Home()
        self.auth = _auth.SpeedPixAuth(config.app_key, config.app_secret.reveal(), clock=clock.time, nonce=nonce)
        self.submissions = transport or lane(Lanes.SUBMIT.value, proxies)
        self.reads = transport or lane(Lanes.API.value, proxies)
        self.files = transport or lane(Lanes.FILES.value, proxies)
        # Our synchronous transport has a shorter way for small calls; any other is used as httpx would.
        self._submit = getattr(self.submissions, "post", None) or Poster(self.submissions, clock).post
        self._ask = getattr(self.reads, "post", None) or Poster(self.reads, clock).post
        base = str(config.endpoint).rstrip("/")
        urls = {operation: httpx.URL(base + operation.value) for operation in Operation}
        self._urls = {operation: str(url) for operation, url in urls.items()}
        self._paths = {operation: url.raw_path.decode("ascii") for operation, url in urls.items()}
        self._user_agent = ("User-Agent", config.user_agent)
        self._timeout = config.timeout.as_dict()
        read = config.timeout.read
        self._submit_timeout = self._timeout | {"read": read if read is None else max(SUBMIT_READ_TIMEOUT, read)}

    def close(self) -> None:
        for lane in (self.submissions, self.reads, self.files):
            lane.close()

    def call(
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
        self.home.enter()
        policy = self.retry if attempts is None else self._with_attempts(attempts)
        paid, corrected, attempt = operation is Operation.SUBMIT, False, 0
        began = self.clock.monotonic()
        while True:
            attempt += 1
            try:
                return read(self._once(operation, body, headers, deadline))
            except ClockSkewError as error:
                # Its offset is known now. Once is enough: a second refusal is not about the clock.
                if corrected or not error.retryable:
                    raise
                corrected, attempt, pause = True, attempt - 1, 0.0
                _LOG.warning("clock corrected by %.0f s: %s", self.auth.offset, error.message)
            except SpeedPixError as error:
                wait = policy.pause(error, attempt, paid=paid, random=self.random)
                if not paid and isinstance(error, RateLimitError):
                    self.ceiling.throttled(self.clock.monotonic())
                wait = self._at_first(error, wait, began)
                if wait is None or (deadline is not None and self.clock.monotonic() + wait >= deadline):
                    raise
                pause = wait
                _LOG.info("%s again in %.1f s: %s", operation.name.lower(), pause, error)
            if pause:
                self.clock.sleep(pause)

    def _with_attempts(self, attempts: int) -> RetryPolicy:
        policy = self._policies.get(attempts)
        if policy is None:
            policy = self._policies[attempts] = replace(self.retry, attempts=attempts)
        return policy

    def _at_first(self, error: SpeedPixError, wait: float | None, began: float) -> float | None:
        """Where the service never answered, its name may be wrong: whoever waits shall know within seconds."""
        if wait is None or self.answered or not isinstance(error, ConnectError):
            return wait
        return min(wait, FIRST_PAUSE) if self.clock.monotonic() - began < FIRST_CONTACT else None

    def _once(
        self, operation: Operation, body: bytes, headers: tuple[tuple[str, str], ...], deadline: float | None
    ) -> Envelope:
        timeout = self._submit_timeout if operation is Operation.SUBMIT else self._timeout
        if deadline is not None:
            timeout = self._shortened(timeout, deadline)
        path = self._paths[operation]
        signed = [self._user_agent, *headers, *self.auth.headers(path, body)]
        post = self._submit if operation is Operation.SUBMIT else self._ask
        what = operation.name.lower()
        try:
            answer = post(self._urls[operation], signed, body, timeout)
            content = _decoded(answer)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise transport_error(error, what, self._urls[operation]) from error
        self.answered = True
        if _LOG.isEnabledFor(logging.DEBUG):
            _LOG.debug("%s: HTTP %d, %d bytes", what, answer.status, len(content))
        try:
            return _wire.parse_envelope(answer.status, answer.headers, content)
        except SignatureError as error:
            self._explain(error, _auth.string_to_sign("POST", httpx.Headers(signed), path), answer)
            raise

    def _shortened(self, timeout: dict[str, float | None], deadline: float) -> dict[str, float | None]:
        """No call of a wait outlasts it by more than a second: whole seconds keep the number of timeouts small."""
        left = max(1.0, math.ceil(deadline - self.clock.monotonic()))
        return {name: left if value is None else min(value, left) for name, value in timeout.items()}

    def _explain(self, error: SignatureError, ours: str, answer: Posted) -> None:
        """Say which line of the signed text differs, or how far the clock is off."""
        if isinstance(error, ClockSkewError):
            offset = _policy.clock_offset(answer.headers, self.clock.time())
            if offset is None:
                error.retryable = False
            else:
                self.auth.offset = offset
                error.remedy = f"This machine's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}."
            return
        error.difference = _auth.compare(ours, error.message)
        error.message = self.auth.hidden(error.message)  # it quotes what was signed, our key with it
        error.args = (error.message,)
        if error.difference:
            error.remedy = f"{error.difference[0].upper()}{error.difference[1:]}."


def _decoded(answer: Posted) -> bytes:
    """We ask for no compression; what comes compressed all the same is unpacked by httpx."""
    if "content-encoding" not in answer.headers:
        return answer.content
    return httpx.Response(answer.status, headers=answer.headers, content=answer.content).content


class Poster:
    """POST through any httpx transport, reading the whole answer."""

    def __init__(self, transport: httpx.BaseTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    def post(self, url: str, headers: list[tuple[str, str]], body: bytes, timeouts: dict[str, float | None]) -> Posted:
        request = httpx.Request("POST", url, headers=headers, content=body, extensions={"timeout": timeouts})
        response = self._transport.handle_request(request)
        try:
            return Posted(response.status_code, response.headers, self._read(response, timeouts["read"]))
        finally:
            response.close()

    def _read(self, response: httpx.Response, patience: float | None) -> bytes:
        ends = None if patience is None else self._clock.monotonic() + DRIP_FACTOR * patience
        chunks: list[bytes] = []
        stream: Any = response.stream  # as it came: httpx would unpack and copy
        for chunk in stream:
            chunks.append(chunk)
            if ends is not None and self._clock.monotonic() > ends:
                raise httpx.ReadTimeout("the answer came too slowly")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
