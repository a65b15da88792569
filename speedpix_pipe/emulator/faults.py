"""Scripted bad days: which calls go wrong, how, and how often.

`WHERE:KIND[:times=N][:after=N][:match=TEXT][:seconds=S]`, for example `submit:reset-after:times=2`. How each
kind is acted out is in `misbehave.py`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

__all__ = ["Fault", "FaultKind", "FaultPlan", "Where"]


class Where(StrEnum):
    UPLOAD_SIGN = "upload-sign"
    UPLOAD = "upload"
    SUBMIT = "submit"
    POLL = "poll"
    RESULT = "result"
    DOWNLOAD = "download"


class FaultKind(StrEnum):
    THROTTLE_429 = "throttle-429"
    THROTTLE_403 = "throttle-403"
    THROTTLE_FLOW_CONTROL = "throttle-flow-control"
    BUSY = "busy"
    BARE_503 = "bare-503"
    BACKEND_TIMEOUT = "backend-timeout"
    RESET_BEFORE = "reset-before"
    RESET_AFTER = "reset-after"
    SWALLOW = "swallow"
    NONCE_USED = "nonce-used"
    REDIRECT = "redirect"
    TRUNCATED = "truncated"
    EXPIRED_URL = "expired-url"
    RESULT_GONE = "result-gone"
    TASK_FAILED = "task-failed"
    BROKEN_CONTRACT = "broken-contract"
    WRONG_CONTENT = "wrong-content"
    SLOW = "slow"
    GARBAGE = "garbage"
    INVOKE_TIMEOUT = "invoke-timeout"
    STALE_KEEPALIVE = "stale-keepalive"
    STALE_TIMESTAMP = "stale-timestamp"
    ARREARS = "arrears"
    UNAUTHORIZED = "unauthorized"
    AUDIT_FAILED = "audit-failed"


_CALLS = frozenset({Where.UPLOAD_SIGN, Where.SUBMIT, Where.POLL, Where.RESULT})
_ONLY: dict[FaultKind, frozenset[Where]] = {
    FaultKind.THROTTLE_FLOW_CONTROL: _CALLS,
    FaultKind.BACKEND_TIMEOUT: _CALLS,
    FaultKind.NONCE_USED: _CALLS,
    FaultKind.INVOKE_TIMEOUT: _CALLS,
    FaultKind.STALE_TIMESTAMP: _CALLS,
    FaultKind.ARREARS: _CALLS,
    FaultKind.UNAUTHORIZED: _CALLS,
    FaultKind.AUDIT_FAILED: _CALLS,
    FaultKind.EXPIRED_URL: frozenset({Where.UPLOAD_SIGN, Where.UPLOAD, Where.SUBMIT, Where.RESULT, Where.DOWNLOAD}),
    FaultKind.RESULT_GONE: frozenset({Where.POLL, Where.RESULT, Where.DOWNLOAD}),
    FaultKind.TASK_FAILED: frozenset({Where.SUBMIT, Where.POLL, Where.RESULT}),
    FaultKind.BROKEN_CONTRACT: frozenset({Where.SUBMIT, Where.RESULT}),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`times` requests go wrong (0: every one), after `after` that go well; only those that contain `match`.

    `match` is looked for in the request target and in the body of an API call: a workflow id, a task id, a
    file name. `seconds` is how long `slow` takes.
    """

    kind: FaultKind
    where: Where
    times: int = 1
    after: int = 0
    match: str | None = None
    seconds: float = 1.0

    def __post_init__(self) -> None:
        # Plain text is welcome, so that tests and control calls need not import the enums.
        object.__setattr__(self, "kind", _member(FaultKind, self.kind, "kind"))
        object.__setattr__(self, "where", _member(Where, self.where, "place"))
        allowed = _ONLY.get(self.kind)
        if allowed is not None and self.where not in allowed:
            places = ", ".join(sorted(allowed))
            raise ValueError(f'fault "{self.kind}" cannot happen at "{self.where}"; it can at: {places}')
        if self.times < 0 or self.after < 0 or self.seconds < 0:
            raise ValueError(f'fault "{self.where}:{self.kind}": times, after and seconds are not negative')

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """The command line's spelling; ValueError says what is wrong with it."""
        parts = text.split(":")
        if len(parts) < 2:
            raise ValueError(f'fault "{text}": write WHERE:KIND, for example submit:reset-after:times=2')
        fault = cls(FaultKind(_member(FaultKind, parts[1], "kind")), Where(_member(Where, parts[0], "place")))
        for part in parts[2:]:
            name, equals, value = part.partition("=")
            try:
                fault = replace(fault, **_option(name, value if equals else ""))
            except ValueError as error:
                raise ValueError(f'fault "{text}": {error}') from None
        return fault


def _option(name: str, value: str) -> dict[str, Any]:
    match name:
        case "times" | "after" if value.isdigit():
            return {name: int(value)}
        case "seconds":
            return {name: float(value)}
        case "match" if value:
            return {name: value}
        case _:
            raise ValueError(f'"{name}" is none of times=N, after=N, match=TEXT, seconds=S')


def _member(kinds: type[StrEnum], text: str, what: str) -> StrEnum:
    try:
        return kinds(text)
    except ValueError:
        known = ", ".join(member.value for member in kinds)
        raise ValueError(f'no fault {what} "{text}"; there are: {known}') from None


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0
    fired: int = 0


class FaultPlan:
    """The faults that are armed now; the first that fits a request is used."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._armed: dict[Where, list[_Armed]] = {where: [] for where in Where}
        self.fired: Counter[str] = Counter()
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        self._armed[fault.where].append(_Armed(fault))

    def clear(self) -> None:
        for armed in self._armed.values():
            armed.clear()

    def take(self, where: Where, context: str, *, reused: bool) -> Fault | None:
        """The fault for this request, if any; `reused` says that its connection has carried one before."""
        for armed in self._armed[where]:
            fault = armed.fault
            if fault.times and armed.fired >= fault.times:
                continue
            if fault.match is not None and fault.match not in context:
                continue
            if fault.kind is FaultKind.STALE_KEEPALIVE and not reused:
                continue
            armed.seen += 1
            if armed.seen <= fault.after:
                continue
            armed.fired += 1
            self.fired[f"{where}:{fault.kind}"] += 1
            return fault
        return None

    def any_at(self, where: Where) -> bool:
        """Whether looking closer is worth it: a benchmark has no faults and pays for none."""
        return bool(self._armed[where])
