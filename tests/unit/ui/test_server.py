"""The live page over HTTP: what it tells, and whom it refuses."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest

from speedpix_pipe.ui.guard import uid_of_socket
from speedpix_pipe.ui.routes import Again

from .conftest import RUN, png

pytestmark = pytest.mark.slow  # a server each


@pytest.fixture
def full(studio):
    studio.begin()
    studio.task("white", "a.jpg")
    studio.task("white", "b/../<b>.jpg", ends="failed")
    studio.flush()
    return studio


def token(live):
    return {"x-speedpix-token": live.token}


def test_an_empty_folder_has_no_runs(client):
    assert client.get("/api/runs").json() == []
    assert client.get(f"/api/runs/{RUN}/graph").status_code == 409


def test_it_tells_runs_graph_tasks_and_the_log_of_one(full, client):
    (run,) = client.get("/api/runs").json()
    assert (run["id"], run["status"], run["lives"]) == (RUN, "running", True)
    assert [node["column"] for node in client.get(f"/api/runs/{RUN}/graph").json()] == [0, 1, 2]
    tasks = client.get(f"/api/runs/{RUN}/tasks", params={"status": "failed"}).json()["tasks"]
    assert [(task["task"], task["why"]) for task in tasks] == [("white@b/../<b>.jpg", "the workflow said no")]
    known = client.get(f"/api/runs/{RUN}/task", params={"task": "white@a.jpg"}).json()
    assert [line["what"] for line in known["log"]] == ["ItemFound", "TaskStarted", "FileSaved", "TaskSucceeded"]
    assert known["input"]["url"] == "https://x/y?…"


def test_the_stream_says_how_things_are_and_then_what_changed(full, client):
    def states(lines):
        name = ""
        for line in lines:
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])

    with client.stream("GET", "/api/stream", params={"run": RUN}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        said = states(answer.iter_lines())
        assert next(said)[0] == "runs"
        assert next(said)[1]["steps"]["white"]["done"] == 2
        for number in range(200):
            full.task("looks", f"{number}.jpg", ends="running")
        full.flush()
        name, state = next(said)
        while name != "run":
            name, state = next(said)
        assert state["steps"]["looks"]["running"] == 200  # one message, not two hundred


def test_files_are_served_by_digest_and_by_nothing_else(full, client):
    digest = hashlib.sha256(png(2)).hexdigest()
    full.store.blobs.path(digest).parent.mkdir(parents=True, exist_ok=True)
    full.store.blobs.path(digest).write_bytes(png(2))
    file = client.get(f"/file/{digest}")
    assert (file.content, file.headers["content-type"]) == (png(2), "image/png")
    assert "sandbox" in file.headers["content-security-policy"]
    assert client.get(f"/file/{digest}", headers={"range": "bytes=0-7"}).status_code == 206
    assert client.get(f"/small/{digest}").headers["content-type"] == "image/webp"
    for name in ("0" * 64, "journal.db", "..%2f..%2fetc%2fpasswd", digest.upper(), digest + "%00", "%2e%2e/journal.db"):
        assert client.get(f"/file/{name}").status_code in {404, 403}, name


def test_a_link_among_the_kept_files_leads_nowhere(full, client, tmp_path):
    (tmp_path / "secret").write_text("secret")
    place = full.store.blobs.path("a" * 64)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(tmp_path / "secret")
    assert client.get(f"/file/{'a' * 64}").status_code == 404


def test_what_a_browser_could_run_is_only_offered_for_download(full, client):
    for content, shown in ((b"<svg xmlns='http://www.w3.org/2000/svg'/>", "attachment"), (b"<b>hello</b>", "inline")):
        file = full.keep(content, "image/svg+xml", "svg")
        answer = client.get(f"/file/{file.sha256}")
        assert answer.headers["content-disposition"].startswith(shown)
        assert not answer.headers["content-type"].startswith("text/html")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_name_that_was_bent_to_this_machine_is_refused(live, client):
    for host in ("evil.example", f"evil.example:{live.port}", "127.0.0.1", f"127.0.0.1:{live.port + 1}", ""):
        assert client.get("/api/runs", headers={"host": host}).status_code in {400, 403}, host
    assert client.get("/api/runs", headers={"host": f"localhost:{live.port}"}).status_code == 200


def test_another_page_may_neither_ask_nor_change(live, client):
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert client.get("/api/runs", headers=headers).status_code == 403
        assert client.post(f"/api/runs/{RUN}/cancel", headers={**headers, **token(live)}).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=followed).status_code == 200  # a link to the page itself may be followed


def test_changing_takes_the_token(live, client, acts):
    assert client.post(f"/api/runs/{RUN}/cancel").status_code == 403
    assert client.post(f"/api/runs/{RUN}/cancel", headers={"x-speedpix-token": "wrong"}).status_code == 403
    assert acts == []
    assert client.post(f"/api/runs/{RUN}/cancel", headers=token(live)).json() == {"done": True}
    body = json.dumps({"tasks": ["white@a.jpg"]})
    assert client.post(f"/api/runs/{RUN}/redo", headers=token(live), content=body).json() == {"done": True}
    assert acts == [("cancel", RUN), ("redo", RUN, Again(("white@a.jpg",)))]
    assert client.get(f"/api/runs/{RUN}/cancel").status_code == 405


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"tasks": ["white@a.jpg"], "new_seed": true}', Again(("white@a.jpg",), new_seed=True)),
        ('{"failed": true}', Again(failed=True)),
        ("[", None),
        ("{}", None),
        ('{"tasks": []}', None),
        ('{"tasks": [1]}', None),
        ('{"tasks": "white@a.jpg"}', None),
        ('{"failed": "yes"}', None),
        ('{"tasks": ["white@a.jpg"], "new_seed": 1}', None),
    ],
)
def test_what_is_to_be_made_again_is_said_exactly(live, client, acts, body, wanted):
    answer = client.post(f"/api/runs/{RUN}/redo", headers=token(live), content=body)
    assert answer.status_code == (400 if wanted is None else 200)
    assert acts == ([] if wanted is None else [("redo", RUN, wanted)])


def test_the_link_leaves_the_token_in_a_cookie_and_not_in_the_address(live, client):
    answer = client.get(live.link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert {"httponly", "samesite=strict"} <= set(answer.headers["set-cookie"].lower().replace(" ", "").split(";"))
    assert client.post(f"/api/runs/{RUN}/cancel").json() == {"done": True}
    with httpx.Client(base_url=live.url, trust_env=False) as other:
        assert "set-cookie" not in other.get("/?token=wrong").headers


def test_without_the_token_the_page_offers_no_change(live, client):
    assert 'class="muted note"' in client.get("/").text
    client.get(live.link)
    assert 'class="muted note"' not in client.get("/").text


def test_another_user_of_this_machine_sees_nothing(live, client, monkeypatch):
    monkeypatch.setattr("speedpix_pipe.ui.guard.os.getuid", lambda: 4242)
    assert client.get("/api/runs").status_code == 403
    assert client.get("/api/runs", headers=token(live)).status_code == 200


def test_the_kernels_table_tells_whose_connection_it_is():
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 1\n"
        "   1: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 2\n"
    )
    assert uid_of_socket(0xC001, 0x1F90, table) == 1000
    assert uid_of_socket(0xC002, 0x1F90, table) is None


def test_everything_says_how_it_may_be_used(live, client):
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for answer in (page, client.get("/api/runs"), client.get("/nothing"), client.get("/", headers={"host": "x"})):
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_it_listens_on_loopback_only(live):
    assert live._socket.getsockname()[0] == "127.0.0.1"
