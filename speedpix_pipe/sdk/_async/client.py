"""The client: settings, connections, and the namespaces that hang on it."""

from __future__ import annotations

import random as _random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

# unasync: insert import threading
from speedpix_pipe.sdk import _auth
from speedpix_pipe.sdk._async._calls import AsyncCalls
from speedpix_pipe.sdk._async.files import AsyncFiles
from speedpix_pipe.sdk._async.prediction import AsyncPrediction
from speedpix_pipe.sdk._async.predictions import AsyncPredictions
from speedpix_pipe.sdk._config import DEFAULT_TIMEOUT, configure
from speedpix_pipe.sdk._policy import RetryPolicy
from speedpix_pipe.sdk._sleep import AsyncClock
from speedpix_pipe.sdk.errors import ConfigurationError


class AsyncSpeedPix:
    """A client of the SpeedPix service.

    `app_key`, `app_secret` and `endpoint` default to `SPEEDPIX_APP_KEY`, `SPEEDPIX_APP_SECRET` and
    `SPEEDPIX_ENDPOINT`. One client holds at most 96 connections, shared by everything that it does.
    """

    predictions: AsyncPredictions
    files: AsyncFiles

    def __init__(
        self,
        app_key: str | None = None,
        app_secret: str | None = None,
        endpoint: str | None = None,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        user_agent: str | None = None,
        *,
        use_file_output: bool = True,
        file_encoding_strategy: str = "url",
        detect_paths: bool = True,
        retry: RetryPolicy | None = None,
        max_reads_per_second: float = 250.0,
        max_uploads: int = 8,
        trust_env: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: AsyncClock | None = None,
        nonce: Callable[[], str] = _auth.new_nonce,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._config = configure(app_key, app_secret, endpoint, timeout, user_agent, file_encoding_strategy)
        if max_reads_per_second <= 0 or max_uploads < 1:
            raise ConfigurationError("max_reads_per_second and max_uploads must be positive")
        self._use_file_output = use_file_output
        self._detect_paths = detect_paths
        self._max_uploads = max_uploads
        self._max_reads_per_second = max_reads_per_second
        self._trust_env = trust_env
        self._calls = AsyncCalls(
            self._config,
            retry=retry or RetryPolicy(),
            max_reads_per_second=max_reads_per_second,
            transport=transport,
            trust_env=trust_env,
            clock=clock or AsyncClock(),
            nonce=nonce,
            random=random,
        )
        self._assemble()

    def _assemble(self) -> None:
        self.files = AsyncFiles(self._calls, max_uploads=self._max_uploads)
        self.predictions = AsyncPredictions(
            self._calls,
            self.files,
            use_file_output=self._use_file_output,
            file_encoding=self._config.file_encoding,
            detect_paths=self._detect_paths,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._config.app_key!r}, '***', {self.endpoint!r})"

    @property
    def endpoint(self) -> str:
        return str(self._config.endpoint).rstrip("/")

    @property
    def app_key(self) -> str:
        return self._config.app_key

    async def run(
        self,
        workflow_id: str,
        input: Mapping[str, Any],  # noqa: A002  # the service's guides call it so
        *,
        wait: bool = True,
        wait_timeout: float | None = None,
        polling_interval: float | None = None,
        on_progress: Callable[[AsyncPrediction], object] | None = None,
        # unasync: insert cancel_event: threading.Event | None = None,
        alias_id: str | None = None,
        version_id: str | None = None,
        resource_config_id: str | list[str] | None = None,
        randomise_seeds: bool | None = None,
        randomize_seeds: bool | None = None,
        return_temp_files: bool | None = None,
        file_encoding_strategy: str | None = None,
        use_file_output: bool | None = None,
        detect_paths: bool | None = None,
    ) -> Any:
        """Submit, wait, and return the output; with `wait=False` return the prediction at once.

        Raises `PredictionError` if the task fails, and `SpeedPixTimeoutError` after `wait_timeout` seconds.
        """
        prediction = await self.predictions.create(
            workflow_id,
            input,
            alias_id=alias_id,
            version_id=version_id,
            resource_config_id=resource_config_id,
            randomise_seeds=randomise_seeds,
            randomize_seeds=randomize_seeds,
            return_temp_files=return_temp_files,
            file_encoding_strategy=file_encoding_strategy,
            use_file_output=use_file_output,
            detect_paths=detect_paths,
        )
        if not wait:
            return prediction
        await prediction.wait(
            wait_timeout,
            polling_interval,
            on_progress=on_progress,
            # unasync: insert cancel_event=cancel_event,
        )
        prediction.raise_for_failure()
        return prediction.output

    async def aclose(self) -> None:
        """Close the connections. The client may be used again; it then opens new ones."""
        await self._calls.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
