"""One program, two SDKs: what reaches the wire is the same but for the differences that docs/sdk-differences.md gives reasons for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.recording import Seen
from tests.functional.two_sdks import ROOT, SCENES, Played, play

pytestmark = pytest.mark.slow
SECTION = "## Differences from the official SDK"
API = ("submit", "progress", "result", "ticket")
IGNORED = {"host", "content-length"}  # the address of this emulator; the length of a body that is compared itself
MADE_UP = {  # new with every request, so compared by their shape
    "date": r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\+00:00",
    "x-ca-timestamp": r"\d{13}",
    "x-ca-nonce": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "x-ca-signature": r"[A-Za-z0-9+/]{43}=",
    "content-md5": r"[A-Za-z0-9+/]{22}==",
}
# Facts that differ, and the words that give the reason in docs/sdk-differences.md.
DIFFERENCES = {
    "submit null keys": "Keys that were not given are left out",
    "submit x-sp-resource-config-id": "`X-SP-RESOURCE-CONFIG-ID` is sent only when asked for",
    "api user-agent": "`User-Agent` names this package",
    "api accept-encoding": "No compressed answers are asked for",
    "storage accept-encoding": "No compressed answers are asked for",
    "storage user-agent": "Storage is told neither `User-Agent` nor `Accept`",
    "storage accept": "Storage is told neither `User-Agent` nor `Accept`",
    "api connection": "`Connection: keep-alive` is not spelled out",
    "storage connection": "`Connection: keep-alive` is not spelled out",
    "ticket body": "Nameless pictures get a name and a type",
    "storage content-type": "Nameless pictures get a name and a type",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    return {
        name: play(module, tmp_path_factory.mktemp(name))
        for name, module in (("official", "speedpix"), ("ours", "speedpix_pipe.sdk"))
    }


def facts(scene: list[Seen]) -> dict[str, Any]:
    """All that is compared of a scene, by name."""
    found: dict[str, Any] = {"calls": _calls(scene)}
    for number, seen in enumerate(_without_repeated_polls(scene)):
        for name, value in _facts_of(seen):
            found.setdefault(name, {})[number] = value
    return found


def _without_repeated_polls(scene: list[Seen]) -> list[Seen]:
    """How often one polls is no matter of the wire; nor is which of two files goes first."""
    kept = [
        seen
        for before, seen in zip([None, *scene], scene, strict=False)
        if _polls(before) < _polls(seen) or not _polls(seen)
    ]
    uploads = sorted(
        (seen for seen in kept if seen.what in {"ticket", "put"}),
        key=lambda seen: (seen.what, seen.headers["content-type"], seen.body if seen.what == "ticket" else b""),
    )
    return [*uploads, *(seen for seen in kept if seen.what not in {"ticket", "put"})]


def _polls(seen: Seen | None) -> bool:
    return seen is not None and seen.what == "progress"


def _calls(scene: list[Seen]) -> list[tuple[str, str, str]]:
    return [
        (seen.what, seen.method, seen.path if seen.what in API else "storage")
        for seen in _without_repeated_polls(scene)
    ]


def _facts_of(seen: Seen) -> Iterator[tuple[str, Any]]:
    side = "api" if seen.what in API else "storage"
    for name, value in seen.headers.items():
        if name in IGNORED:
            continue
        owner = seen.what if name.startswith("x-sp") else side
        yield f"{owner} {name}", bool(re.fullmatch(MADE_UP[name], value)) if name in MADE_UP else value
    if seen.what in API:
        body = seen.json
        yield f"{seen.what} null keys", sorted(key for key, value in body.items() if value is None)
        yield f"{seen.what} body", _anonymous({key: value for key, value in body.items() if value is not None})


def _anonymous(value: Any) -> Any:
    """Without what is new with every run: task ids, and addresses of uploads but for their ends."""
    match value:
        case dict():
            return {key: "ID" if key == "taskId" else _anonymous(inner) for key, inner in value.items()}
        case list():
            return [_anonymous(inner) for inner in value]
        case str() if value.startswith("http://127.0.0.1"):
            return "URL of " + value.partition("?")[0].rpartition("/")[2]
        case _:
            return value


def differing(official: list[Seen], ours: list[Seen]) -> set[str]:
    one, other = facts(official), facts(ours)
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


@pytest.mark.parametrize("scene", SCENES)
def test_only_known_differences_reach_the_wire(both: dict[str, Played], scene: str) -> None:
    found = differing(both["official"].seen[scene], both["ours"].seen[scene])
    unknown = found - DIFFERENCES.keys()
    assert not unknown, {name: [facts(both[side].seen[scene]).get(name) for side in both] for name in unknown}


@pytest.mark.parametrize(
    "name", ["calls", "submit body", "api accept", "api content-type", "api x-ca-signature-headers"]
)
def test_what_decides_is_compared(both: dict[str, Played], name: str) -> None:
    assert name in facts(both["official"].seen["run_image"])


def test_every_known_difference_is_there_and_has_its_reason_in_the_docs(both: dict[str, Played]) -> None:
    found = set().union(*(differing(both["official"].seen[scene], both["ours"].seen[scene]) for scene in SCENES))
    assert found == DIFFERENCES.keys()
    words = " ".join((ROOT / "docs/sdk-differences.md").read_text("utf-8").partition(SECTION)[2].split())
    assert [reason for reason in DIFFERENCES.values() if reason not in words] == []


@pytest.mark.parametrize("scene", SCENES)
def test_both_return_the_same_or_fail_alike(both: dict[str, Played], scene: str) -> None:
    official, ours = (dict(played.told[scene]) for played in both.values())
    assert official.keys() == ours.keys()
    if scene in {"upload_bytes", "wrong_secret"}:  # a name and a type of its own; an error of its own kind
        return
    if "error" in official:
        assert official["error"] == ours["error"]
    else:
        assert _shape(official["returned"]) == _shape(ours["returned"])


def _shape(value: Any) -> Any:
    match value:
        case dict():
            return {key: _shape(inner) for key, inner in value.items()}
        case str() if "http://" in value:
            return "URL"
        case str() if value.startswith("result/"):
            return "KEY"
        case _:
            return value


def test_every_scene_signs_every_api_call_and_no_transfer(both: dict[str, Played]) -> None:
    for played in both.values():
        for seen in (seen for scene in played.seen.values() for seen in scene):
            assert ("x-ca-signature" in seen.headers) == (seen.what in API)
