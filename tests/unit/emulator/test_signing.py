"""The gateway's digest signature, against vectors that others computed."""

import hashlib

import pytest
from multidict import CIMultiDict

from speedpix_pipe.emulator.signing import Gatekeeper, server_string_to_sign

KEY, SECRET = "204000001", "sp-test-secret-0123456789abcdef"
STAMP, NONCE = "1735689600000", "3f2c1b9a-7d4e-4c55-9a10-0e8f6b7c2d31"
NOW = 1735689600.0
DATE = "Wed, 01 Jan 2025 00:00:00 GMT+00:00"
JSON = "application/json; charset=utf-8"
SUBMIT_BODY = (
    '{"workflow_id":"01k2wfdemo00000000000000ab","version_id":null,"inputs":{"text":"阿里云","steps":20},'
    '"alias_id":"main","randomise_seeds":null,"return_temp_files":null}'
).encode()
POLL_BODY = b'{"taskId":"01k3zx5w8ap2m7q4t9c6v1rbye"}'
SUBMIT_MD5, POLL_MD5 = "CpcNO2IKy07xkI29BrOXYg==", "ThlP1zIpNbAl/uJOx3BWlg=="
SDK_NAMES = "x-ca-timestamp,x-ca-key,x-ca-nonce,x-ca-signature-method"


def _sdk_headers(signature, md5):
    headers = CIMultiDict(
        {
            "date": DATE,
            "x-ca-key": KEY,
            "x-ca-timestamp": STAMP,
            "x-ca-nonce": NONCE,
            "x-ca-signature-method": "HmacSHA256",
            "x-ca-signature-headers": SDK_NAMES,
            "Content-Type": JSON,
            "Accept": JSON,
            "x-ca-signature": signature,
        }
    )
    if md5:
        headers["content-md5"] = md5
    return headers


FOREIGN = CIMultiDict(
    {
        "Accept": "application/json",
        "Content-MD5": POLL_MD5,
        "Content-Type": "application/json; charset=UTF-8",
        "X-Ca-Signature-Headers": "X-Ca-Key,X-Ca-Nonce,X-Ca-Stage,X-Ca-Timestamp",
        "X-Ca-Stage": "RELEASE",
        "X-Ca-Key": KEY,
        "X-Ca-Nonce": NONCE,
        "X-Ca-Timestamp": STAMP,
        "X-Ca-Signature": "RI0mOg8vESa7LkFfC19cSU3LiuRvE1s6g9aoA4oKWqA=",
    }
)
VECTORS = {
    "A": ("/scc/comfy_prompt", SUBMIT_BODY, _sdk_headers("hoBVVMN9wAxEraHUbYtXA/FZHfC+v12/cvqK9wJZBPs=", SUBMIT_MD5)),
    "B": ("/scc/comfy_get_progress", POLL_BODY, _sdk_headers("WzHaHE2tuzdIBBvlPUImLUxiFiEKCQNmw5Ojk/RRFcg=", POLL_MD5)),
    "C": ("/scc/comfy_prompt", SUBMIT_BODY, _sdk_headers("P5JKeQJZRgmHT6joUULdHUvJn984PyXfkjzeBKwhphE=", None)),
    "D": ("/scc/comfy_get_result", POLL_BODY, FOREIGN),
}
DIGESTS = {
    "A": "8936111e57eba9bfbe02fcb13a5bfdfa611427df1f7dd255e72ec5d94f607363",
    "B": "71c32201d31d0363cb4b75afd41ad0548234f1fabfc1b6118263159bf0f38da7",
    "C": "71aa3b279bcf313918fbcb3ac80022396c8a5e85c6554cf7bd8745b4218cd3ce",
}


def _with(headers, name, value):
    changed = headers.copy()
    changed[name] = value
    return changed


@pytest.fixture
def gate():
    return Gatekeeper({KEY: SECRET})


@pytest.mark.parametrize("name", VECTORS)
def test_the_vector_is_accepted(gate, name):
    path, body, headers = VECTORS[name]
    assert gate.check("POST", path, headers, body, NOW) is None


@pytest.mark.parametrize("name", DIGESTS)
def test_the_string_to_sign_has_the_published_digest(name):
    path, _, headers = VECTORS[name]
    text = server_string_to_sign("POST", path, headers)
    assert hashlib.sha256(text.encode()).hexdigest() == DIGESTS[name]


def test_header_names_are_spelled_as_the_client_listed_them():
    assert "\nX-Ca-Stage:RELEASE\n" in server_string_to_sign("POST", "/p", FOREIGN)


def test_a_listed_header_without_value_still_has_its_line():
    headers = CIMultiDict({"x-ca-signature-headers": "x-b,x-a,Date,x-ca-signature", "x-b": "1"})
    assert server_string_to_sign("post", "/p", headers) == "POST\n\n\n\n\nx-a:\nx-b:1\n/p"


def test_query_parameters_are_signed_sorted_by_name():
    assert server_string_to_sign("POST", "/p?b=2&a=1&c=", CIMultiDict()).endswith("\n/p?a=1&b=2&c")


@pytest.mark.parametrize(
    ("change", "status", "code", "message"),
    [
        ({"x-ca-key": ""}, 400, "A400MA", "Need authorization"),
        ({"x-ca-key": "else"}, 400, "A400IK", "Invalid AppKey"),
        ({"x-ca-signature": ""}, 401, "", "Empty Signature"),
        ({"x-ca-timestamp": "1735688699999"}, 400, "", "Timestamp Expired"),
        ({"x-ca-timestamp": "1735690500001"}, 400, "", "Timestamp Expired"),
        ({"x-ca-timestamp": "soon"}, 400, "", "Invalid Timestamp"),
        ({"content-md5": "AAAA"}, 400, "I400I5", "Invalid Content-MD5"),
        ({"x-ca-signature-method": "HmacMD5"}, 400, "I400HD", "Invalid Header"),
        ({"x-ca-signature": "AAAA"}, 403, "A403IS", "Invalid Signature"),
        ({"accept": "*/*"}, 403, "A403IS", "Server StringToSign:`POST#*/*#"),
    ],
)
def test_each_defect_has_its_refusal(gate, change, status, code, message):
    path, body, headers = VECTORS["A"]
    broken = headers.copy()
    broken.update(change)
    refusal = gate.check("POST", path, broken, body, NOW)
    assert (refusal.status, refusal.code) == (status, code)
    assert message in refusal.message


def test_the_refused_signature_shows_the_servers_string_with_hashes_for_line_breaks(gate):
    path, body, headers = VECTORS["B"]
    refusal = gate.check("POST", path, _with(headers, "x-ca-signature", "AAAA"), body, NOW)
    shown = refusal.message.split("`")[1]
    assert shown.replace("#", "\n") == server_string_to_sign("POST", path, headers)


def test_a_nonce_works_once_within_fifteen_minutes(gate):
    path, body, headers = VECTORS["A"]
    assert gate.check("POST", path, headers, body, NOW) is None
    assert gate.check("POST", path, headers, body, NOW + 1).message == "Nonce Used"
    assert gate.check("POST", path, headers, body, NOW + 901).message == "Timestamp Expired"


def test_a_forged_request_does_not_use_the_nonce_up(gate):
    path, body, headers = VECTORS["A"]
    assert gate.check("POST", path, _with(headers, "x-ca-signature", "AAAA"), body, NOW).code == "A403IS"
    assert gate.check("POST", path, headers, body, NOW) is None
