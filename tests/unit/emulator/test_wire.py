"""The four calls, byte by byte as the protocol notes describe them."""

import json
import re
import threading

import pytest

from speedpix_pipe.emulator import DefaultImages, EmulatorOptions, EmulatorThread, WorkflowError
from speedpix_pipe.emulator.workflows.base import Artifact

KEYS = {"status", "apiInvokeId", "data", "errCode", "errMessage", "subErrCode", "subErrMessage", "startTime", "endTime"}


@pytest.fixture
def echo(start):
    return start(workflows={"echo": lambda inputs: {"said": inputs["text"]}})


def test_an_answer_has_all_keys_and_nulls_for_errors(echo):
    reply = echo.submit("echo", {"text": "阿里云"})
    assert reply.status == 200
    assert set(reply.envelope) == KEYS
    assert [reply.envelope[key] for key in sorted(KEYS - {"status", "apiInvokeId", "data"})] == [None] * 6
    assert re.fullmatch(r"i_[0-9a-f]{24}", reply.envelope["apiInvokeId"])
    assert re.fullmatch(r"[0-9A-F-]{36}", reply.headers["x-ca-request-id"])


def test_a_submission_tells_id_status_and_estimate(echo):
    data = echo.submit("echo", {"text": "x"}).data
    assert set(data) == {"taskId", "status", "estimatedDurationInSeconds"}
    assert re.fullmatch(r"[0-9a-z]{26}", data["taskId"])
    assert data["status"] == "waiting"


def test_a_result_carries_times_in_milliseconds_and_text_verbatim(echo):
    task_id = echo.submit("echo", {"text": "阿里云 \n {{x}}"}).data["taskId"]
    echo.final(task_id)
    data = echo.result(task_id).data
    assert set(data) == {"taskId", "status", "taskDuration", "taskBeginTime", "taskEndTime", "images", "result"}
    assert data["result"] == {"said": "阿里云 \n {{x}}"}
    assert data["taskEndTime"] - data["taskBeginTime"] == pytest.approx(data["taskDuration"], abs=1)
    assert len(str(data["taskBeginTime"])) == 13


def test_a_file_object_has_the_documented_keys_and_a_preview_only_when_temporary_files_are_asked_for(start):
    wire = start(workflows={"make": lambda _: {"images": Artifact(b"abc", "txt", kind="text")}})
    plain = wire.run("make")["images"]
    assert list(plain) == ["filename", "object_key", "format", "width", "height", "type", "url"]
    assert wire.send("GET", plain["url"]).body == b"abc"
    assert wire.send("GET", wire.run("make", return_temp_files=True)["images"]["preview"]).body == b"abc"


def test_a_workflow_without_output_fields_answers_bare_urls(start):
    wire = start(workflows={"bare": lambda _: DefaultImages((Artifact(b"1", "png"), Artifact(b"2", "png")))})
    task_id = wire.submit("bare").data["taskId"]
    wire.final(task_id)
    data = wire.result(task_id).data
    assert data["result"] is None
    assert [wire.send("GET", url).body for url in data["images"]] == [b"1", b"2"]


def test_an_unfinished_result_shows_the_status_and_nothing_else(start, clock):
    wire = start(clock, latency=5, workflows={"slow": lambda _: {}})
    data = wire.result(wire.submit("slow").data["taskId"]).data
    assert (data["status"], data["result"], data["images"], data["taskEndTime"]) == ("running", None, None, None)


def test_a_failed_task_fails_in_progress_and_in_the_result_envelope(start):
    def broken(_):
        raise WorkflowError("the lens is dirty", "Emulator.Dirty")

    wire = start(workflows={"broken": broken, "crash": lambda _: 1 / 0})
    task_id = wire.submit("broken").data["taskId"]
    assert wire.final(task_id)["message"] == "the lens is dirty"
    envelope = wire.result(task_id).envelope
    assert (envelope["status"], envelope["data"], envelope["errCode"]) == (20, None, "B_API_ServiceError")
    assert (envelope["subErrCode"], envelope["subErrMessage"]) == ("Emulator.Dirty", "the lens is dirty")
    assert wire.fail("crash") == "ZeroDivisionError: division by zero"


def test_a_failed_task_may_be_told_in_a_successful_envelope(start):
    wire = start(workflows={"crash": lambda _: 1 / 0}, failed_result_status=10)
    task_id = wire.submit("crash").data["taskId"]
    wire.final(task_id)
    assert wire.result(task_id).data["status"] == "failed"


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ({"workflowId": "echo", "aliasId": "main", "inputs": {}}, 'unknown key "workflowId"'),
        ({"workflow_id": "echo", "alias_id": "main", "input": {}}, 'unknown key "input"'),
        ({"alias_id": "main", "inputs": {}}, '"workflow_id" is missing'),
        ({"workflow_id": "echo", "inputs": {}}, 'one of "alias_id" and "version_id"'),
        ({"workflow_id": "echo", "alias_id": None, "version_id": None, "inputs": {}}, 'one of "alias_id"'),
        ({"workflow_id": "echo", "alias_id": "main"}, '"inputs" must be an object'),
        ({"workflow_id": "echo", "alias_id": 1, "inputs": {}}, '"alias_id" must be text'),
        ({"workflow_id": "echo", "alias_id": "main", "inputs": {}, "randomise_seeds": 1}, "must be true or false"),
        (["not", "an", "object"], "must be a JSON object"),
        (b"{", "is not JSON"),
    ],
)
def test_a_malformed_submission_is_refused_behind_the_gateway_and_creates_nothing(echo, payload, complaint):
    reply = echo.call("comfy_prompt", payload)
    assert (reply.status, reply.sub_code) == (200, "Emulator.InvalidParameter")
    assert complaint in reply.envelope["subErrMessage"]
    assert echo.emulator.counters["predictions"] == 0


@pytest.mark.parametrize("ids", [{"alias_id": "main"}, {"version_id": "v3"}, {"alias_id": "main", "version_id": "v3"}])
def test_alias_and_version_may_be_given_in_any_combination(echo, ids):
    payload = {"workflow_id": "echo", "inputs": {"text": "x"}, "alias_id": None} | ids
    assert echo.call("comfy_prompt", payload).data["taskId"]


def test_the_other_calls_take_camel_case_and_ignore_extra_keys(echo):
    task_id = echo.submit("echo", {"text": "x"}).data["taskId"]
    assert echo.call("comfy_get_progress", {"task_id": task_id}).sub_code == "Emulator.InvalidParameter"
    assert echo.call("comfy_get_progress", {"taskId": task_id, "workflow_id": "echo", "alias_id": "main"}).data
    ticket = {"content_type": "image/png", "original_filename": "a.png"}
    assert echo.call("sp_create_temp_file_upload_sign", ticket).sub_code == "Emulator.InvalidParameter"


def test_unknown_tasks_workflows_and_pools_are_business_errors(echo):
    assert echo.poll("01k3zx5w8ap2m7q4t9c6v1rbye").sub_code == "Emulator.TaskNotFound"
    assert echo.submit("no-such").sub_code == "Emulator.WorkflowNotFound"
    payload = {"workflow_id": "echo", "alias_id": "main", "inputs": {}}
    pool = {"X-SP-RESOURCE-CONFIG-ID": "mine,default"}
    assert echo.call("comfy_prompt", payload, extra=pool).sub_code == "Emulator.ResourceConfigNotFound"


def test_configured_pools_are_accepted(start):
    wire = start(resource_configs=("default", "mine"), workflows={"echo": lambda _: {}})
    payload = {"workflow_id": "echo", "alias_id": "main", "inputs": {}}
    assert wire.call("comfy_prompt", payload, extra={"X-SP-RESOURCE-CONFIG-ID": "mine,default"}).data


def test_the_gateway_refuses_unknown_paths_and_methods(echo):
    for path in ("/scc/nothing", "//scc/comfy_prompt", "/"):
        reply = echo.send("POST", path, b"{}")
        assert (reply.status, reply.headers["x-ca-error-code"], reply.body) == (404, "I404NF", b"")
    assert echo.send("GET", "/scc/comfy_prompt").headers["x-ca-error-code"] == "I405UM"


def test_a_wrong_secret_is_told_the_servers_string(echo):
    path, body = "/scc/comfy_get_progress", b'{"taskId":"x"}'
    reply = echo.send("POST", path, body, echo.sign(path, body, secret="wrong"))
    assert (reply.status, reply.headers["x-ca-error-code"]) == (403, "A403IS")
    assert "Server StringToSign:`POST#application/json#" in reply.headers["x-ca-error-message"]
    assert echo.emulator.counters["refused"] == 1


def test_a_replayed_request_is_refused(echo):
    path, body = "/scc/comfy_get_progress", b'{"taskId":"x"}'
    headers = echo.sign(path, body)
    assert echo.send("POST", path, body, headers).status == 200
    again = echo.send("POST", path, body, headers)
    assert (again.status, again.headers["x-ca-error-message"]) == (400, "Nonce Used")
    assert "x-ca-error-code" not in again.headers


def test_randomised_seeds_replace_what_was_sent(start):
    wire = start(workflows={"seed": lambda inputs: {"seed": inputs["seed"], "text": inputs["text"]}})
    assert wire.run("seed", {"seed": 7, "text": "a"}) == {"seed": 7, "text": "a"}
    drawn = [wire.run("seed", {"seed": 7, "text": "a"}, randomise_seeds=True) for _ in range(3)]
    assert len({one["seed"] for one in drawn}) == 3
    assert {one["text"] for one in drawn} == {"a"}


def test_a_fallback_answers_unknown_workflows_and_is_noted(start):
    wire = start(fallback=lambda name, inputs: {"asked": name, **inputs} if name == "mine" else None)
    assert wire.run("mine", {"a": 1}) == {"asked": "mine", "a": 1}
    assert wire.submit("other").sub_code == "Emulator.WorkflowNotFound"
    assert wire.emulator.predictions()[0]["note"] == "answered by the fallback"


def test_a_fallback_may_fail_the_task(start):
    def refuse(*_):
        raise WorkflowError("no contract", "Emulator.NoContract")

    assert start(fallback=refuse).fail("mine") == "no contract"


def test_a_workflow_runs_once_however_often_its_result_is_asked_for(start):
    runs = []
    wire = start(workflows={"count": lambda _: runs.append(1) or {"images": Artifact(b"x", "png")}})
    task_id = wire.submit("count").data["taskId"]
    wire.final(task_id)
    urls = {wire.result(task_id).data["result"]["images"]["object_key"] for _ in range(3)}
    assert (len(runs), len(urls)) == (1, 1)


def test_the_loop_answers_while_a_workflow_computes(start):
    go = threading.Event()
    wire = start(workflows={"hold": lambda _: {"went": go.wait(10)}})
    task_id = wire.submit("hold").data["taskId"]
    assert wire.poll(task_id).data["status"] == "running"
    go.set()
    assert wire.final(task_id)["status"] == "succeeded"


def test_fast_mode_answers_at_once_with_one_small_picture(start):
    wire = start(fast=True)
    task_id = wire.submit("white-background", {"image": "anything"}).data["taskId"]
    assert wire.poll(task_id).data["status"] == "succeeded"
    image = wire.result(task_id).data["result"]["images"]
    assert wire.send("GET", image["url"]).picture.size == (image["width"], image["height"])


def test_fast_mode_still_asks_whether_the_workflow_exists(start):
    assert start(fast=True).submit("no-such").sub_code == "Emulator.WorkflowNotFound"


def test_control_counts_lists_resets_and_refuses_foreign_hosts(echo):
    echo.run("echo", {"text": "x"})
    counted = echo.control("counters")
    assert (counted["predictions"], counted["calls"]["submit"], counted["calls"]["result"]) == (1, 1, 1)
    assert echo.control("predictions")[0] | {"id": 0, "created_at": 0, "started_at": 0, "finished_at": 0} == {
        "id": 0,
        "owner": "local",
        "workflow": "echo",
        "inputs": {"text": "x"},
        "created_at": 0,
        "started_at": 0,
        "finished_at": 0,
        "status": "succeeded",
        "error": None,
        "note": None,
    }
    assert echo.send("GET", "/_emulator/counters", headers={"Host": "evil.example"}).status == 403
    echo.control("reset", "POST")
    assert echo.control("counters")["predictions"] == 0
    assert echo.control("predictions") == []
    assert "known" in echo.control("nothing")


def test_connections_are_counted_once_each(echo):
    for _ in range(3):
        echo.call("comfy_get_progress", {"taskId": "x"}, keep=True)
    before = echo.emulator.counters["connections"]
    echo.call("comfy_get_progress", {"taskId": "x"}, keep=True)
    assert echo.emulator.counters["connections"] == before
    echo.connection.close()


def test_a_taken_port_is_an_error_at_start(echo):
    port = int(echo.emulator.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        EmulatorThread(EmulatorOptions(port=port)).start()


def test_the_answer_is_compact_utf8_json(echo):
    task_id = echo.submit("echo", {"text": "阿"}).data["taskId"]
    echo.final(task_id)
    body = echo.result(task_id).body
    assert "阿".encode() in body
    assert body == json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
