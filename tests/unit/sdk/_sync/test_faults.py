# Written by _tools/unasync.py from tests/unit/sdk/_async/test_faults.py; edit that and run it again.
"""What happens when a call goes wrong: every fault on every call. The table in docs/sdk-errors.md is made from this one."""

import os
from pathlib import Path

import pytest

from speedpix_pipe.sdk import DownloadError, SpeedPixError, SubmissionUnknownError

pytestmark = pytest.mark.anyio

# fault, then for submit, progress, result, ticket, upload (put), download (get): what happens
FAULTS = {
    "connection reset before the answer": ("unknown", "again", "again", "again", "again", "again"),
    "half an answer, then reset": ("unknown", "again", "again", "again", "-", "again"),
    "HTTP 200 that is not JSON": ("unknown", "again", "again", "again", "-", "-"),
    "HTTP 200 without data": ("unknown", "-", "-", "UnexpectedAnswerError", "-", "-"),
    "HTTP 302": (
        "unknown",
        "UnexpectedAnswerError",
        "UnexpectedAnswerError",
        "UnexpectedAnswerError",
        "UploadError",
        "DownloadError",
    ),
    "HTTP 429, no code": ("again", "again", "again", "again", "again", "again"),
    "HTTP 403, Throttled by APP Flow Control": ("again", "again", "again", "again", "-", "-"),
    "HTTP 500, no code": ("unknown", "again", "again", "again", "again", "again"),
    "HTTP 503, no code": ("unknown", "again", "again", "again", "again", "again"),
    "T429PA (throttled)": ("again", "again", "again", "again", "-", "-"),
    "D503BB (busy)": ("again", "again", "again", "again", "-", "-"),
    "D504TO (backend timed out)": ("unknown", "again", "again", "again", "-", "-"),
    "D502FC (bad backend answer)": ("unknown", "again", "again", "again", "-", "-"),
    "X500ED (gateway misconfigured)": ("unknown", "ServerError", "ServerError", "ServerError", "-", "-"),
    "A403IS (signature)": ("SignatureError",) * 4 + ("-", "-"),
    "A400IK (unknown key)": ("AuthenticationError",) * 4 + ("-", "-"),
    "A403AA (not authorised)": ("PermissionDeniedError",) * 4 + ("-", "-"),
    "B403MO (account overdue)": ("PermissionDeniedError",) * 4 + ("-", "-"),
    "I404NF (no such API)": ("NotFoundError",) * 4 + ("-", "-"),
    "I413RL (too large)": ("BadRequestError",) * 4 + ("-", "-"),
    "Timestamp Expired": ("again", "again", "again", "again", "-", "-"),
    "Nonce Used": ("unknown", "again", "again", "again", "-", "-"),
    "B_API_CauseFlowControl": ("again", "again", "again", "again", "-", "-"),
    "B_API_InvokeTimeout": ("unknown", "again", "again", "again", "-", "-"),
    "B_API_AuditFailed": ("ContentAuditError",) * 4 + ("-", "-"),
    "B_API_ServiceError": ("APIError",) * 4 + ("-", "-"),
    "storage: HTTP 403 AccessDenied (expired URL)": ("-", "-", "-", "-", "a new ticket, once", "a fresh URL, once"),
    "storage: HTTP 404": ("-", "-", "-", "-", "a new ticket, once", "a fresh URL, once"),
}
CALLS = ("submit", "progress", "result", "ticket", "put", "get")
CASES = [
    (fault, call, happens)
    for fault, row in FAULTS.items()
    for call, happens in zip(CALLS, row, strict=True)
    if happens != "-"
]


def answer_of(fault, wire):
    """The scripted answer for a row of the table."""
    if fault.startswith("connection reset"):
        return wire.Reply(drop="before")
    if fault.startswith("half"):
        return wire.Reply(b'{"status": 10, "data": {"taskId": "t"}}', drop="half")
    if "not JSON" in fault:
        return wire.Reply(b"<html>it works!</html>")
    if "without data" in fault:
        return wire.envelope(None)
    if fault == "HTTP 302":
        return wire.Reply(b"", 302, {"Location": "/elsewhere"})
    if "Throttled by" in fault:
        return wire.gateway(403, None, "Throttled by APP Flow Control")
    if fault.startswith("HTTP "):
        return wire.Reply(b"", int(fault[5:8]))
    if fault.startswith("Timestamp"):
        return wire.gateway(400, None, "Timestamp Expired", Date="Wed, 01 Jan 2025 00:00:00 GMT")
    if fault.startswith("Nonce"):
        return wire.gateway(400, None, "Nonce Used")
    if fault.startswith("B_API"):
        return wire.failure(fault, "some words")
    if fault.startswith("storage"):
        return wire.Reply(b"<Error><Code>AccessDenied</Code></Error>", int(fault.split("HTTP ")[1][:3]))
    code = fault[:6]
    return wire.gateway(int(code[1:4]), code, "some words")


def everything(client, path):
    file = client.files.create(b"words to upload", filename="a.txt")
    output = client.run("wf", {"file": file})
    return output["images"]["url"].save(path)


@pytest.mark.parametrize(("fault", "call", "happens"), CASES)
def test_fault(client, service, wire, tmp_path, fault, call, happens):
    service.answer(call, answer_of(fault, wire), ...)
    before = {"a new ticket, once": ["put", "ticket", "put"], "a fresh URL, once": ["get", "result", "get"]}
    if happens == "again" or happens in before:
        assert (everything(client, tmp_path / "out.png")).read_bytes() == wire.PNG
        expected = before.get(happens, [call, call])
        assert expected in [service.order[i : i + len(expected)] for i in range(len(service.order))]
        assert len(service.calls("submit")) == (2 if call == "submit" else 1)
        return
    with pytest.raises(SpeedPixError) as caught:
        everything(client, tmp_path / "out.png")
    assert type(caught.value).__name__ == ("SubmissionUnknownError" if happens == "unknown" else happens)
    assert len(service.calls(call)) == 1
    assert isinstance(caught.value, SubmissionUnknownError) == (happens == "unknown")
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_every_attempt_is_signed_afresh(client, service, wire):
    service.answer("progress", wire.gateway(429, "T429PA"), ...)
    client.predictions.get("t")
    first, second = service.calls("progress")
    assert first.headers["x-ca-nonce"] != second.headers["x-ca-nonce"]


def test_retry_after_is_honoured(client, service, wire, clock):
    service.answer("progress", wire.gateway(429, "T429PA", Retry_After="17"), ...)
    client.predictions.get("t")
    assert sum(clock.slept) >= 17


def test_a_stale_timestamp_sets_the_clock_and_a_second_one_is_an_error(client, service, wire):
    stale = wire.gateway(400, None, "Timestamp Expired", Date="Wed, 01 Jan 2025 00:00:00 GMT")
    service.answer("submit", stale)
    with pytest.raises(SpeedPixError, match=r"clock is \d+ s ahead"):
        client.predictions.create("wf", {}, max_attempts=1)
    _, second = service.calls("submit")
    assert int(second.headers["x-ca-timestamp"]) == pytest.approx(1735689600000, abs=60_000)


def test_a_refused_signature_says_what_differs(client, service, wire):
    def refuse(seen):
        lines = ["POST", seen.headers["Accept"], "bm90IHRoaXM=", seen.headers["Content-Type"], seen.headers["date"]]
        lines += [f"{name}:{seen.headers[name]}" for name in sorted(seen.headers["x-ca-signature-headers"].split(","))]
        return wire.gateway(403, "A403IS", f"Invalid Signature, Server StringToSign:`{'#'.join([*lines, seen.path])}`")

    service.answer("progress", refuse)
    with pytest.raises(SpeedPixError, match=r"Line 3 \(Content-MD5\) differs") as caught:
        client.predictions.get("t")
    assert caught.value.request_id == "1A2B3C4D-0000-4000-8000-000000000001"
    assert "x-ca-key:***#x-ca-nonce:" in caught.value.message
    assert wire.KEY not in f"{caught.value} {caught.value!r}"


def test_reads_give_up_in_the_end(client, service, wire):
    service.answer("progress", wire.Reply(b"", 503))
    with pytest.raises(SpeedPixError):
        client.predictions.get("t")
    assert len(service.calls("progress")) == client._calls.retry.attempts


def test_an_interrupted_download_above_32_mib_goes_on_where_it_broke_off(client, service, wire, tmp_path):
    content = os.urandom(40 << 20)
    half = len(content) - 1000

    def serve(seen):
        asked = seen.headers.get("Range")
        if not asked:
            return wire.Reply(
                content[:half] + bytes(half), headers={"ETag": '"v1"', "Content-Type": "x/y"}, drop="half"
            )
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        assert seen.headers["If-Range"] == '"v1"'
        return wire.Reply(content[start:], 206, {"ETag": '"v1"'})

    service.answer("get", serve)
    output = client.run("wf", {})
    saved = output["images"]["url"].save(tmp_path / "big.bin")
    assert len(service.calls("get")) == 2
    assert saved.stat().st_size == len(content)
    assert saved.read_bytes()[half:] == content[half:]


def test_a_body_that_breaks_off_is_read_again_as_often_as_it_takes(client, service, wire):
    service.answer("get", wire.Reply(wire.PNG, drop="half"), wire.Reply(wire.PNG))
    output = client.run("wf", {})
    assert output["images"]["url"].read() == wire.PNG
    service.answer("get", wire.Reply(wire.PNG, drop="half"))
    before = len(service.calls("get"))
    with pytest.raises(DownloadError, match="closed the connection"):
        output["images"]["url"].read()
    assert len(service.calls("get")) - before == client._calls.retry.attempts


def test_a_read_that_is_refused_is_not_repeated_on_two_floors(client, service, wire):
    service.answer("get", wire.Reply(b"", 500))
    output = client.run("wf", {})
    with pytest.raises(DownloadError):
        output["images"]["url"].read()
    assert len(service.calls("get")) == client._calls.retry.attempts


def test_an_error_keeps_both_codes_and_both_messages(client, service, wire):
    told = {
        "errCode": "B_API_ServiceError",
        "errMessage": "outer",
        "subErrCode": "Inner.Code",
        "subErrMessage": "inner",
    }
    service.answer("progress", wire.Reply(wire.envelope(None, status=20, **told)))
    with pytest.raises(SpeedPixError) as caught:
        client.predictions.get("t")
    error = caught.value
    assert (error.message, error.error_code) == ("inner", "Inner.Code")
    assert (error.err_code, error.err_message) == ("B_API_ServiceError", "outer")
    assert (error.sub_error_code, error.sub_err_message) == ("Inner.Code", "inner")
    assert error.api_invoke_id


def test_the_table_in_the_documentation_is_this_one():
    header = "| fault | " + " | ".join(CALLS) + " |"
    rows = [f"| {fault} | " + " | ".join(row) + " |" for fault, row in FAULTS.items()]
    table = "\n".join([header, "|---" * (len(CALLS) + 1) + "|", *rows])
    page = Path(__file__).parents[4] / "docs/sdk-errors.md"
    assert table in page.read_text("utf-8")


def test_a_failed_upload_means_that_nothing_was_submitted(client, service, wire):
    service.answer("ticket", wire.Reply(b"", 500))
    with pytest.raises(SpeedPixError) as caught:
        client.predictions.create("wf", {"image": b"x"})
    assert caught.value.surely_never_ran
    assert service.calls("submit") == []


def test_a_stale_timestamp_without_a_date_is_an_error_at_once(client, service, wire):
    service.answer("submit", wire.gateway(400, None, "Timestamp Expired", Date="nonsense"))
    with pytest.raises(SpeedPixError, match="clock"):
        client.predictions.create("wf", {})
    assert len(service.calls("submit")) == 1
