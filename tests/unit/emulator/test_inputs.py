"""Where workflows get their pictures, and what they say of bad ones."""

import base64
import contextlib
import http.server
import threading

import pytest


@pytest.fixture
def elsewhere(png):
    """Another server on this machine, with a picture at /a.png."""

    class Quiet(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path == "/a.png"
            self.send_response(200 if found else 302 if self.path == "/moved" else 404)
            if self.path == "/moved":
                self.send_header("Location", "/a.png")
            self.end_headers()
            self.wfile.write(png(size=(12, 8)) if found else b"")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _size(wire, image):
    shown = wire.run("upscale", {"image": image})["images"]
    return shown["width"], shown["height"]


def test_an_uploaded_file_is_an_input(wire, png):
    assert _size(wire, wire.upload(png(size=(40, 30)))) == (80, 60)


def test_a_result_is_an_input_of_the_next_workflow(wire, png):
    first = wire.run("upscale", {"image": wire.upload(png(size=(40, 30)))})["images"]
    assert _size(wire, first["url"]) == (160, 120)
    assert _size(wire, first) == (160, 120)


def test_own_files_are_read_without_a_download(wire, png):
    wire.run("upscale", {"image": wire.upload(png())})
    assert wire.emulator.counters["downloads"] == 0


def test_a_data_uri_is_an_input(wire, png):
    assert _size(wire, "data:image/png;base64," + base64.b64encode(png()).decode()) == (80, 60)


def test_another_server_on_this_machine_is_asked(wire, elsewhere):
    assert _size(wire, elsewhere + "/a.png") == (24, 16)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, 'input "image" is missing'),
        ("", 'input "image" is missing'),
        (7, "must be an URL or a data URI, not a number"),
        ({"width": 3}, "not an object"),
        ("cup.jpg", 'cannot fetch "cup.jpg": neither an http URL nor a data URI'),
        ("/etc/passwd", "neither an http URL nor a data URI"),
        ("file:///etc/passwd", "neither an http URL nor a data URI"),
        ("http://pictures.example/a.png", "the emulator stays on this machine"),
        ("http://127.0.0.1:1/a.png", "cannot fetch http://127.0.0.1:1/a.png"),
        ("data:image/png,abc", "must be data:TYPE;base64,PAYLOAD"),
        ("data:image/png;base64,!!!", "cannot read the data URI"),
        ("data:image/png;base64,AAAA", 'input "image" is not a picture'),
    ],
)
def test_an_input_that_cannot_be_used_fails_the_task_and_says_why(wire, image, message):
    assert message in wire.fail("upscale", {"image": image})


@pytest.mark.parametrize("path", ["/none.png", "/moved"])
def test_a_server_that_has_nothing_or_points_elsewhere_fails_the_task(wire, elsewhere, path):
    assert f"cannot fetch {elsewhere}{path}: HTTP Error" in wire.fail("upscale", {"image": elsewhere + path})


def test_an_upload_that_never_happened_and_an_expired_one_fail_the_task(start, clock, png):
    wire = start(clock, result_ttl=60)
    assert "nothing was uploaded there" in wire.fail("upscale", {"image": wire.ticket()["accessUrl"]})
    url = wire.upload(png())
    clock.value += 61
    assert "Request has expired" in wire.fail("upscale", {"image": url})


def test_a_cut_off_picture_is_not_a_picture(wire, png):
    assert "is not a picture" in wire.fail("upscale", {"image": wire.upload(png(size=(300, 300))[:120])})


@pytest.mark.parametrize(
    ("workflow", "inputs", "message"),
    [
        ("upscale", {"factor": "two"}, 'input "factor" must be a number, not text'),
        ("upscale", {"factor": 99}, "it must lie in 1 to 8"),
        ("upscale", {"factor": True}, "not a boolean"),
        ("variations", {"count": 2.5}, "it must be a whole number"),
        ("white-background", {"text": ["a"]}, 'input "text" must be text, not a list'),
        ("stylize", {"style": "cubist"}, 'no style "cubist"; there are: sketch'),
        ("image-to-video", {"format": "avi"}, "it must be webp, gif or webm"),
        ("contact-sheet", {"images": []}, 'input "images" is missing'),
    ],
)
def test_values_of_the_wrong_kind_fail_the_task(wire, png, workflow, inputs, message):
    assert message in wire.fail(workflow, {"image": wire.upload(png())} | inputs)


def test_the_same_picture_under_another_url_gives_the_same_seed(wire, png):
    with contextlib.closing(wire.open()):
        first, second = (
            wire.run("variations", {"image": wire.upload(png(size=(64, 48))), "count": 1})["images"][0]
            for _ in range(2)
        )
    assert wire.send("GET", first["url"]).body == wire.send("GET", second["url"]).body
