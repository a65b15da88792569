import hashlib
import json
import locale
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.sdk import SpeedPixAuth, _auth

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/signing.json").read_text("utf-8"))
OURS = [vector for vector in VECTORS["vectors"] if "headers" not in vector]
KEY, SECRET, NONCE, NOW = (VECTORS["app_key"], VECTORS["app_secret"], VECTORS["nonce"], VECTORS["timestamp_ms"] / 1000)


@pytest.mark.parametrize("vector", OURS, ids=lambda vector: vector["name"])
def test_the_vectors_of_the_protocol_are_met(vector):
    body = vector["body"].encode()
    headers = httpx.Headers(_auth.sign_headers(KEY, SECRET, vector["path"], body, now=NOW, nonce=NONCE))
    text = _auth.string_to_sign("POST", headers, vector["path"])
    assert len(text.encode()) == vector["string_bytes"]
    assert hashlib.sha256(text.encode()).hexdigest() == vector["string_sha256"]
    assert headers.get("content-md5", "") == vector["content_md5"]
    assert headers["x-ca-signature"] == vector["signature"]
    assert headers["date"] == VECTORS["date"]


def test_a_foreign_clients_string_is_rebuilt_from_its_headers():
    vector = VECTORS["vectors"][-1]
    text = _auth.string_to_sign("POST", httpx.Headers(vector["headers"]), vector["path"])
    assert _auth.signature(SECRET, text) == vector["signature"]


def test_the_auth_flow_signs_what_httpx_sends():
    auth = SpeedPixAuth(KEY, SECRET, clock=lambda: NOW, nonce=lambda: NONCE)
    vector = OURS[1]
    url = "https://openai.edu-aliyun.com" + vector["path"]
    request = httpx.Request("POST", url, content=vector["body"].encode(), headers={"accept": "text/html"})
    signed = next(auth.auth_flow(request))
    assert signed.headers["x-ca-signature"] == vector["signature"]
    assert signed.headers.get_list("accept") == ["application/json; charset=utf-8"]


def test_the_offset_moves_the_timestamp():
    auth = SpeedPixAuth(KEY, SECRET, clock=lambda: NOW - 3600, nonce=lambda: NONCE)
    auth.offset = 3600
    assert dict(auth.headers("/x", b""))["x-ca-timestamp"] == "1735689600000"


def test_the_date_is_english_in_any_locale():
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("zh_CN.UTF-8", "de_DE.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert _auth.http_date(NOW) == VECTORS["date"]
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_the_secret_is_not_printed():
    assert SECRET not in repr(SpeedPixAuth(KEY, SECRET))


@given(st.binary(min_size=1), st.floats(0, 4e9), st.uuids(), st.text(min_size=1))
def test_what_is_signed_is_what_the_gateway_rebuilds(body, now, nonce, secret):
    secret = secret.encode("utf-8", "replace").decode()
    headers = _auth.sign_headers("k1", secret, "/scc/x", body, now=now, nonce=str(nonce))
    text = _auth.string_to_sign("POST", httpx.Headers(headers), "/scc/x")
    assert dict(headers)["x-ca-signature"] == _auth.signature(secret, text)
    assert dict(headers)["content-md5"] == _auth.content_md5(body)


MINE = "POST\na\nmd5\nb\ndate\nx-ca-key:k\n/path"


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("POST#a#md5#b#date#x-ca-key:k#/path", "the secret is wrong"),
        ("POSTamd5bdatex-ca-key:k/path", "the secret is wrong"),
        (
            "POST#a#other#b#date#x-ca-key:k#/path",
            "line 3 (Content-MD5) differs: we signed 'md5', the service saw 'other'",
        ),
        ("POST#a#md5#b#date#x-ca-key:z#/path", "line 6 (x-ca-key) differs"),
        ("POST#a#md5#b#date#x-ca-key:k#/elsewhere", "line 7 (the path) differs"),
        ("POST#a#md5#b#date#x-ca-key:k", "line 7 (the path) differs"),
        ("POST#a#md5#b#date#x-ca-key:k#/path#more", "more lines"),
        ("POSTamd5bdatex-ca-key:k/elsewhere", "from character"),
    ],
)
def test_a_refused_signature_says_which_line_differs(theirs, said):
    assert said in _auth.compare(MINE, f"Invalid Signature, Server StringToSign:`{theirs}`")


@pytest.mark.parametrize("text", ["Invalid Signature", "", "`", "``"])
def test_a_refusal_without_the_servers_string_compares_nothing(text):
    assert _auth.compare(MINE, text) is None
