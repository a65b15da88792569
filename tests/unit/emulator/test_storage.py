"""Tickets, uploads and downloads."""

import re

import pytest


def _code(reply):
    assert reply.headers["content-type"] == "application/xml"
    return reply.status, re.search(r"<Code>(\w+)</Code>", reply.body.decode()).group(1)


def test_a_ticket_has_the_documented_fields(start, clock):
    wire = start(clock, upload_ttl=600)
    ticket = wire.ticket("阿里 云.png")
    assert set(ticket) == {"uploadUrl", "objectKey", "path", "expireTime", "accessUrl"}
    assert ticket["expireTime"] == (clock.value + 600) * 1000
    assert ticket["path"] == "/" + ticket["objectKey"]
    assert ticket["objectKey"].endswith("/阿里 云.png")


def test_what_was_uploaded_is_served_with_its_type_and_length(wire):
    reply = wire.send("GET", wire.upload(b"12345", content_type="image/webp"))
    assert (reply.status, reply.body) == (200, b"12345")
    assert (reply.headers["content-type"], reply.headers["content-length"]) == ("image/webp", "5")


def test_head_tells_the_length_only(wire):
    reply = wire.send("HEAD", wire.upload(b"12345"))
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "5", b"")


def test_a_ticket_is_bound_to_its_content_type(wire):
    ticket = wire.ticket(content_type="image/png")
    for sent in ({"Content-Type": "image/jpeg"}, {}):
        assert _code(wire.send("PUT", ticket["uploadUrl"], b"x", sent)) == (403, "SignatureDoesNotMatch")
    assert _code(wire.send("GET", ticket["accessUrl"])) == (404, "NoSuchKey")


def test_a_ticket_expires(start, clock):
    wire = start(clock, upload_ttl=600)
    ticket = wire.ticket()
    clock.value += 600
    assert _code(wire.send("PUT", ticket["uploadUrl"], b"x", {"Content-Type": "image/png"})) == (403, "AccessDenied")


def test_an_upload_may_be_repeated_once(wire):
    ticket = wire.ticket()
    statuses = [
        wire.send("PUT", ticket["uploadUrl"], body, {"Content-Type": "image/png"}) for body in (b"1", b"2", b"3")
    ]
    assert [reply.status for reply in statuses] == [200, 200, 409]
    assert wire.send("GET", ticket["accessUrl"]).body == b"2"


def test_an_url_cannot_be_turned_into_another(wire):
    mine, other = wire.upload(b"mine"), wire.upload(b"other")
    swapped = other.partition("?")[0] + "?" + mine.partition("?")[2]
    longer = re.sub(r"Expires=\d+", "Expires=9999999999", mine)
    for url in (swapped, longer):
        assert _code(wire.send("GET", url)) == (403, "SignatureDoesNotMatch")
    assert _code(wire.send("GET", mine.partition("?")[0])) == (403, "AccessDenied")
    assert _code(wire.send("PUT", mine, b"x")) == (403, "SignatureDoesNotMatch")
    assert _code(wire.send("DELETE", mine)) == (405, "MethodNotAllowed")


def test_an_url_expires_and_a_new_result_call_gives_a_fresh_one(start, clock):
    wire = start(clock, result_ttl=60)
    task_id = wire.submit("text-to-image", {"prompt": "sea"}).data["taskId"]
    wire.final(task_id)
    first = wire.result(task_id).data["result"]["images"]
    clock.value += 61
    assert _code(wire.send("GET", first["url"])) == (403, "AccessDenied")
    second = wire.result(task_id).data["result"]["images"]
    assert (first["object_key"], first["url"]) != (second["object_key"], second["url"])
    assert wire.send("GET", second["url"]).picture.size == (768, 512)


@pytest.mark.parametrize(
    ("asked", "status", "body", "shown"),
    [
        ("bytes=2-", 206, b"23456789", "bytes 2-9/10"),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges_are_served(wire, asked, status, body, shown):
    reply = wire.send("GET", wire.upload(b"0123456789"), headers={"Range": asked})
    assert (reply.status, reply.body, reply.headers.get("content-range")) == (status, body, shown)


def test_a_range_past_the_end_is_refused(wire):
    reply = wire.send("GET", wire.upload(b"0123"), headers={"Range": "bytes=4-"})
    assert _code(reply) == (416, "InvalidRange")


def test_uploads_and_downloads_are_counted(wire):
    url = wire.upload(b"x" * 1000)
    wire.send("GET", url)
    wire.send("GET", url, headers={"Range": "bytes=900-"})
    counted = wire.emulator.counters
    assert (counted["uploads"], counted["upload_bytes"]) == (1, 1000)
    assert (counted["downloads"], counted["download_bytes"]) == (2, 1100)


def test_a_file_name_from_outside_is_only_a_name(wire):
    ticket = wire.ticket("../../etc/passwd<&>")
    assert ticket["objectKey"].endswith("/passwd<&>")
    assert "/../" not in ticket["objectKey"]
    assert wire.send("PUT", ticket["uploadUrl"], b"x", {"Content-Type": "image/png"}).status == 200
