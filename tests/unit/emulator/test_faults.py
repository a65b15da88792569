"""Each scripted fault: what the client sees, and whether the work was done."""

import http.client
import json
import threading
import time

import pytest

from speedpix_pipe.emulator import Fault, FaultKind, Where
from speedpix_pipe.emulator.faults import FaultPlan

CALLS = [Where.UPLOAD_SIGN, Where.SUBMIT, Where.POLL, Where.RESULT]


class TestSpelling:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("submit:busy", Fault(FaultKind.BUSY, Where.SUBMIT)),
            ("submit:reset-after:times=2", Fault(FaultKind.RESET_AFTER, Where.SUBMIT, times=2)),
            ("download:slow:seconds=0.5:after=3", Fault(FaultKind.SLOW, Where.DOWNLOAD, after=3, seconds=0.5)),
            (
                "upload:truncated:times=0:match=cup.jpg",
                Fault(FaultKind.TRUNCATED, Where.UPLOAD, times=0, match="cup.jpg"),
            ),
        ],
    )
    def test_the_command_lines_spelling_is_read(self, text, fault):
        assert Fault.parse(text) == fault

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("busy", "write WHERE:KIND"),
            ("submit:bussy", 'no fault kind "bussy"; there are: throttle-429'),
            ("sumbit:busy", 'no fault place "sumbit"; there are: upload-sign'),
            ("submit:busy:times=-1", '"times" is none of'),
            ("submit:busy:often", '"often" is none of'),
            ("submit:slow:seconds=long", "could not convert"),
            ("submit:slow:seconds=-1", "are not negative"),
            ("download:nonce-used", 'cannot happen at "download"; it can at: poll, result, submit, upload-sign'),
        ],
    )
    def test_a_misspelt_fault_says_what_is_possible(self, text, complaint):
        with pytest.raises(ValueError, match="fault") as caught:
            Fault.parse(text)
        assert complaint in str(caught.value)


class TestPlan:
    def take(self, plan, context="", *, reused=False):
        fault = plan.take(Where.SUBMIT, context, reused=reused)
        return fault.kind.value if fault else None

    def test_times_and_after_count_matching_requests(self):
        plan = FaultPlan([Fault.parse("submit:busy:times=2:after=1:match=red")])
        seen = [self.take(plan, context) for context in ("red", "blue", "red", "blue", "red", "red")]
        assert seen == [None, None, "busy", None, "busy", None]

    def test_zero_times_means_always(self):
        plan = FaultPlan([Fault.parse("submit:busy:times=0")])
        assert [self.take(plan) for _ in range(5)] == ["busy"] * 5

    def test_faults_are_used_in_the_order_they_were_armed(self):
        plan = FaultPlan([Fault.parse("submit:busy"), Fault.parse("submit:slow")])
        assert [self.take(plan) for _ in range(3)] == ["busy", "slow", None]
        assert plan.fired == {"submit:busy": 1, "submit:slow": 1}

    def test_a_stale_connection_needs_one_that_was_used_before(self):
        plan = FaultPlan([Fault.parse("submit:stale-keepalive")])
        assert [self.take(plan), self.take(plan, reused=True)] == [None, "stale-keepalive"]


@pytest.fixture
def wire(start):
    return start(workflows={"echo": dict})


@pytest.fixture
def at(wire):
    """A request to each place, as a function without arguments; the fault is armed just before it."""

    def send(where, *faults):
        task_id = wire.submit("echo", {"a": 1}).data["taskId"]
        wire.final(task_id)
        ticket = wire.ticket()
        url = wire.upload(b"x" * 100)
        for fault in faults:
            wire.emulator.add_fault(Fault.parse(f"{where}:{fault}"))
        wire.made = wire.emulator.counters["predictions"]
        wire.put = wire.emulator.counters["uploads"]
        return {
            Where.SUBMIT: lambda: wire.submit("echo"),
            Where.POLL: lambda: wire.poll(task_id),
            Where.RESULT: lambda: wire.result(task_id),
            Where.UPLOAD_SIGN: lambda: wire.call(
                "sp_create_temp_file_upload_sign", {"contentType": "a/b", "originalFilename": "c"}
            ),
            Where.UPLOAD: lambda: wire.send("PUT", ticket["uploadUrl"], b"x", {"Content-Type": "image/png"}),
            Where.DOWNLOAD: lambda: wire.send("GET", url),
        }[where]()

    return send


@pytest.mark.parametrize("where", CALLS)
@pytest.mark.parametrize(
    ("kind", "status", "code", "message", "made"),
    [
        ("throttle-429", 429, "T429ID", "Throttled by INSTANCE Flow Control", 0),
        ("throttle-403", 403, None, "Throttled by APP Flow Control", 0),
        ("busy", 503, "D503BB", "Backend service is busy", 0),
        ("bare-503", 503, None, None, 0),
        ("stale-timestamp", 400, None, "Timestamp Expired", 0),
        ("arrears", 403, "B403OD", "User Arrears", 0),
        ("unauthorized", 403, "I403AA", "Unauthorized", 0),
        ("redirect", 302, None, None, 0),
        ("nonce-used", 400, None, "Nonce Used", 1),
        ("backend-timeout", 504, "D504TO", "Backend service timed out", 1),
    ],
)
def test_the_gateway_refuses(wire, at, where, kind, status, code, message, made):
    reply = at(where, kind)
    assert (reply.status, reply.headers.get("x-ca-error-code")) == (status, code)
    assert reply.headers.get("x-ca-error-message") == message
    assert wire.emulator.counters["predictions"] - wire.made == (made if where is Where.SUBMIT else 0)
    assert wire.emulator.counters["faults"] == {f"{where}:{kind}": 1}


@pytest.mark.parametrize("where", CALLS)
@pytest.mark.parametrize(
    ("kind", "code", "made"),
    [
        ("throttle-flow-control", "B_API_CauseFlowControl", 0),
        ("audit-failed", "B_API_AuditFailed", 0),
        ("invoke-timeout", "B_API_InvokeTimeout", 1),
    ],
)
def test_the_business_gateway_refuses(wire, at, where, kind, code, made):
    envelope = at(where, kind).envelope
    assert (envelope["status"], envelope["errCode"], envelope["data"]) == (20, code, None)
    assert wire.emulator.counters["predictions"] - wire.made == (made if where is Where.SUBMIT else 0)


@pytest.mark.parametrize("where", [Where.UPLOAD, Where.DOWNLOAD])
@pytest.mark.parametrize("kind", ["throttle-429", "throttle-403", "busy"])
def test_storage_asks_to_slow_down_in_its_own_words(wire, at, where, kind):
    reply = at(where, kind)
    assert (reply.status, b"<Code>SlowDown</Code>" in reply.body) == (503, True)


@pytest.mark.parametrize("where", list(Where))
@pytest.mark.parametrize(("kind", "made"), [("reset-before", 0), ("reset-after", 1)])
def test_a_connection_is_reset_before_or_after_the_work(wire, at, where, kind, made):
    with pytest.raises(ConnectionResetError):
        at(where, kind)
    counted = wire.emulator.counters
    assert counted["predictions"] - wire.made == (made if where is Where.SUBMIT else 0)
    assert counted["uploads"] - wire.put == (made if where is Where.UPLOAD else 0)


@pytest.mark.parametrize("where", list(Where))
def test_a_truncated_answer_promises_more_than_it_brings(wire, at, where):
    with pytest.raises(http.client.IncompleteRead):
        at(where, "truncated")
    assert wire.emulator.counters["predictions"] - wire.made == (1 if where is Where.SUBMIT else 0)


@pytest.mark.parametrize("where", list(Where))
def test_garbage_and_wrong_content_are_answers_with_status_200(wire, at, where):
    garbage = at(where, "garbage")
    with pytest.raises(json.JSONDecodeError):
        garbage.envelope  # noqa: B018
    page = at(where, "wrong-content")
    assert (garbage.status, page.status, page.headers["content-type"]) == (200, 200, "text/html")


@pytest.mark.parametrize("where", list(Where))
def test_a_swallowed_request_is_worked_and_never_answered(wire, where):
    url = wire.upload(b"x") if where is Where.DOWNLOAD else wire.ticket()["uploadUrl"]
    task_id = wire.submit("echo").data["taskId"]
    wire.emulator.add_fault(Fault.parse(f"{where}:swallow"))
    connection = wire.open()
    paths = {
        Where.SUBMIT: ("comfy_prompt", {"workflow_id": "echo", "alias_id": "main", "inputs": {}}),
        Where.POLL: ("comfy_get_progress", {"taskId": task_id}),
        Where.RESULT: ("comfy_get_result", {"taskId": task_id}),
        Where.UPLOAD_SIGN: ("sp_create_temp_file_upload_sign", {"contentType": "a/b", "originalFilename": "c"}),
    }
    if where in paths:
        name, payload = paths[where]
        body = json.dumps(payload).encode()
        connection.request("POST", f"/scc/{name}", body, wire.sign(f"/scc/{name}", body))
    else:
        method, body = ("GET", None) if where is Where.DOWNLOAD else ("PUT", b"x")
        connection.request(method, url.removeprefix(wire.emulator.url), body, {"Content-Type": "image/png"})
    predictions = 2 if where is Where.SUBMIT else 1
    end = time.monotonic() + 30
    while wire.emulator.counters["faults"] != {f"{where}:swallow": 1} or (
        wire.emulator.counters["predictions"] != predictions
    ):
        assert time.monotonic() < end, "it was never worked"
        time.sleep(0.01)
    connection.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_slow_takes_its_time_and_then_answers(start, clock):
    wire = start(clock, faults=(Fault.parse("submit:slow:seconds=90"),), workflows={"echo": lambda _: {}})
    before = clock.value
    assert wire.submit("echo").data["taskId"]
    assert clock.value - before == 90


def test_a_stale_connection_is_reset_when_it_is_used_again(wire):
    wire.emulator.add_fault(Fault.parse("poll:stale-keepalive"))
    assert wire.call("comfy_get_progress", {"taskId": "x"}, keep=True).status == 200
    with pytest.raises(ConnectionResetError):
        wire.call("comfy_get_progress", {"taskId": "x"}, keep=True)
    wire.connection.close()


class TestWhatAnswersSay:
    def test_a_result_brings_urls_that_are_expired_once(self, start):
        wire = start(faults=(Fault.parse("result:expired-url"),))
        task_id = wire.submit("text-to-image", {"prompt": "sea"}).data["taskId"]
        wire.final(task_id)
        statuses = [wire.send("GET", wire.result(task_id).data["result"]["images"]["url"]).status for _ in range(2)]
        assert statuses == [403, 200]

    @pytest.mark.parametrize("where", [Where.UPLOAD, Where.DOWNLOAD])
    def test_an_url_is_refused_as_expired(self, at, where):
        reply = at(where, "expired-url")
        assert (reply.status, b"Request has expired" in reply.body) == (403, True)

    def test_a_ticket_is_expired_already(self, wire, at):
        ticket = at(Where.UPLOAD_SIGN, "expired-url").data
        assert wire.send("PUT", ticket["uploadUrl"], b"x", {"Content-Type": "a/b"}).status == 403

    def test_an_input_is_expired_when_the_service_fetches_it(self, wire):
        wire.emulator.add_fault(Fault.parse("submit:expired-url"))
        assert "Request has expired" in wire.fail("echo")

    @pytest.mark.parametrize("where", [Where.POLL, Where.RESULT])
    def test_a_result_is_gone(self, at, where):
        assert at(where, "result-gone").sub_code == "Emulator.TaskGone"

    def test_a_file_is_gone(self, at):
        reply = at(Where.DOWNLOAD, "result-gone")
        assert (reply.status, b"NoSuchKey" in reply.body) == (404, True)

    @pytest.mark.parametrize("where", [Where.SUBMIT, Where.POLL])
    def test_a_task_fails(self, wire, where):
        wire.emulator.add_fault(Fault.parse(f"{where}:task-failed"))
        assert wire.fail("echo") == "the workflow failed because a fault told it to"
        assert wire.run("echo", {"a": 1}) == {"a": 1}

    def test_a_result_call_declares_the_task_failed(self, start, clock):
        wire = start(clock, latency=5, workflows={"echo": dict})
        task_id = wire.submit("echo").data["taskId"]
        wire.emulator.add_fault(Fault.parse("result:task-failed"))
        assert wire.result(task_id).sub_code == "Emulator.ScriptedFailure"
        assert wire.poll(task_id).data["status"] == "failed"

    def test_an_output_breaks_its_contract_for_good_or_once(self, wire):
        wire.emulator.add_fault(Fault.parse("submit:broken-contract"))
        assert wire.run("echo", {"a": 1}) == {"unexpected": 42}
        wire.emulator.add_fault(Fault.parse("result:broken-contract"))
        assert [wire.run("echo", {"a": 1}) for _ in range(2)] == [{"unexpected": 42}, {"a": 1}]


class TestControl:
    def test_faults_are_armed_and_cleared_from_another_process(self, wire):
        armed = [{"where": "submit", "kind": "busy", "times": 0}, "poll:busy"]
        assert wire.control("faults", "POST", armed) == {"added": 2}
        assert [wire.submit("echo").status, wire.poll("x").status, wire.poll("x").status] == [503, 503, 200]
        wire.control("faults", "DELETE")
        assert wire.submit("echo").status == 200

    @pytest.mark.parametrize("armed", ["poll:bussy", {"where": "poll"}, {"where": "poll", "kind": "busy", "x": 1}, [7]])
    def test_a_fault_that_cannot_be_read_is_refused(self, wire, armed):
        assert "error" in wire.control("faults", "POST", armed)
        assert wire.poll("x").status == 200

    def test_a_match_looks_into_target_and_body(self, wire):
        wire.emulator.add_fault(Fault.parse("submit:busy:times=0:match=cup"))
        assert [wire.submit("echo", {"a": name}).status for name in ("cup", "bowl")] == [503, 200]
        wire.emulator.add_fault(Fault.parse("download:bare-503:times=0:match=cup"))
        assert [wire.send("GET", wire.upload(b"x", name)).status for name in ("cup.png", "bowl.png")] == [503, 200]
        wire.emulator.clear_faults()
        assert wire.submit("echo", {"a": "cup"}).status == 200


def test_the_emulator_closes_while_requests_hang(start):
    wire = start(faults=(Fault.parse("poll:swallow"),))
    connection = wire.open()
    body = b'{"taskId":"x"}'
    connection.request("POST", "/scc/comfy_get_progress", body, wire.sign("/scc/comfy_get_progress", body))
    closing = threading.Thread(target=wire.emulator.close)
    closing.start()
    closing.join(5)
    assert not closing.is_alive()
    connection.close()
