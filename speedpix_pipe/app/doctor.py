"""The use case `doctor`: is everything there that a run needs? One finding per line, each with what to do.

The service is asked for the progress of a prediction that does not exist: nothing is paid for that, and an answer
about the prediction, rather than about us, shows that key and secret are accepted. Our surroundings (disk, inotify,
packages) are looked at in `surroundings`.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from speedpix_pipe.app import surroundings
from speedpix_pipe.app.surroundings import Finding, Verdict
from speedpix_pipe.errors import AccessError
from speedpix_pipe.settings import APP_SECRET, ENDPOINT, Credentials, Settings, checked_endpoint

if TYPE_CHECKING:
    from speedpix_pipe.sdk import SpeedPix, SpeedPixError

PATIENCE_SECONDS = 10.0
NO_PREDICTION = "speedpix-pipe-doctor"  # no id that the service would ever give
REFUSED_SECONDS, ODD_SECONDS = 15 * 60, 60  # signatures older than the first are refused


def examine(settings: Settings, folder: Path, *, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Every finding, as it is made. `now` is this machine's idea of the time, in seconds since 1970."""
    yield surroundings.python()
    yield surroundings.packages()
    yield from _service(settings, now)
    yield _proxies(settings)
    yield from surroundings.state(settings, folder)
    yield from surroundings.limits()


def _service(settings: Settings, now: Callable[[], float]) -> Iterator[Finding]:
    where = f"from {settings.dotenv}" if settings.dotenv else "from the environment"
    endpoint, answered, offset = _endpoint(settings.endpoint, now)
    yield endpoint
    if offset is not None:
        yield _clock(offset)
    try:
        credentials = settings.credentials()
    except AccessError as error:
        yield Finding("credentials", Verdict.BAD, error.message, error.hint or "")
        return
    if answered:
        yield _signature(credentials, where, now)
    else:
        yield Finding("credentials", Verdict.WARN, f"set ({where}), and not tried: nobody answers at the endpoint")


# --- the endpoint and its clock ---


def _endpoint(endpoint: str, now: Callable[[], float]) -> tuple[Finding, bool, float | None]:
    """Is somebody there, and how far is our clock behind the one there?"""
    url = endpoint if "://" in endpoint else f"https://{endpoint}"
    try:
        shown = checked_endpoint(url)
    except AccessError as error:
        return Finding("endpoint", Verdict.BAD, error.message, f"mend {ENDPOINT}"), False, None
    began = time.monotonic()
    try:
        date = _date_of(url)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        remedy = f"check {ENDPOINT}, the network and the proxy settings"
        return Finding("endpoint", Verdict.BAD, f"{shown} cannot be reached: {reason}", remedy), False, None
    took = round((time.monotonic() - began) * 1000)
    finding = Finding("endpoint", Verdict.OK, f"{shown} answers in {took} ms")
    try:
        return finding, True, parsedate_to_datetime(date).timestamp() - now()
    except ValueError:  # no date, or none that can be read
        return finding, True, None


def _date_of(url: str) -> str:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the scheme was looked at
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - likewise
            return answer.headers.get("Date") or ""
    except urllib.error.HTTPError as refused:  # an answer all the same
        with refused:
            return refused.headers.get("Date") or ""


def _clock(offset: float) -> Finding:
    off = f"this machine's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} the service's"
    remedy = "synchronise it: timedatectl set-ntp true"
    if abs(offset) >= REFUSED_SECONDS:
        return Finding("clock", Verdict.BAD, f"{off}, which refuses signatures so far off", remedy)
    if abs(offset) >= ODD_SECONDS:
        return Finding("clock", Verdict.WARN, off, remedy)
    return Finding("clock", Verdict.OK, f"within {max(2, round(abs(offset)))} s of the service's")


# --- key and secret ---


def _signature(credentials: Credentials, where: str, now: Callable[[], float]) -> Finding:
    from speedpix_pipe.sdk import Clock, RetryPolicy, SpeedPix, SpeedPixError

    class OurClock(Clock):
        def time(self) -> float:
            return now()

    try:
        with SpeedPix(
            credentials.app_key.reveal(),
            credentials.app_secret.reveal(),
            credentials.endpoint,
            timeout=PATIENCE_SECONDS,
            retry=RetryPolicy(attempts=1),
            clock=OurClock(),
        ) as client:
            return _asked(client, where)
    except SpeedPixError as error:  # the client cannot be made like this
        return _refused(error)


def _asked(client: SpeedPix, where: str) -> Finding:
    from speedpix_pipe.sdk import errors

    accepted = Finding("credentials", Verdict.OK, f"accepted by the service ({where})")
    try:
        client.predictions.get(NO_PREDICTION)
    except errors.SignatureError as error:
        return _refused(error, remedy=f"Check {APP_SECRET}. {error.remedy}")
    except (errors.NotFoundError, errors.ServerError, errors.RateLimitError) as error:
        # Whoever answered did not get so far as to look at who we are
        return _refused(error, Verdict.BAD if isinstance(error, errors.NotFoundError) else Verdict.WARN)
    except (errors.AuthenticationError, errors.PermissionDeniedError) as error:
        return _refused(error)
    except errors.APIError:
        return accepted  # it knows us, and knows no such prediction
    except errors.SpeedPixError as error:
        return _refused(error)
    return accepted


def _refused(error: SpeedPixError, verdict: Verdict = Verdict.BAD, *, remedy: str | None = None) -> Finding:
    code = f" ({error.error_code})" if error.error_code else ""
    # The service quotes what it signed; that is long, and `difference` in the remedy says it better.
    message = error.message.split(", Server StringToSign", 1)[0]
    return Finding("credentials", verdict, f"{message}{code}", error.remedy if remedy is None else remedy)


# --- proxies ---


def _proxies(settings: Settings) -> Finding:
    names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
    known = {name: value for name, value in settings.environment.items() if name.upper() in names and value}
    if not known:
        return Finding("proxies", Verdict.OK, "none")
    shown = ", ".join(f"{name}={_without_password(value)}" for name, value in sorted(known.items()))
    return Finding("proxies", Verdict.OK, shown)


def _without_password(url: str) -> str:
    """An address as it may be shown."""
    try:
        parts = urlsplit(url)
        if parts.username is None and parts.password is None:
            return url
        return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))
    except ValueError:
        return "***"
