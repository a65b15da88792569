"""Queue, slots and progress, read off the clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.emulator.tasks import TaskFailure, TaskQueue, TaskStatus


def _add(queue, name, now, *, computed=True):
    task = queue.add(name, "w", {}, now, 2)
    if computed:
        queue.computed(task, now, 0.0)
    return task


def test_a_task_ends_when_its_service_time_is_over():
    queue = TaskQueue(slots=0, latency=2.0, jitter=0)
    task = _add(queue, "a", 100.0)
    queue.advance(101.9)
    assert task.status is TaskStatus.RUNNING
    queue.advance(102.0)
    assert (task.status, task.finished) == (TaskStatus.SUCCEEDED, 102.0)


def test_a_task_whose_pixels_take_longer_ends_with_them():
    queue = TaskQueue(slots=1, latency=1.0, jitter=0)
    task = _add(queue, "a", 0.0, computed=False)
    waiting = _add(queue, "b", 0.0)
    queue.advance(5.0)
    assert (task.status, waiting.status) == (TaskStatus.RUNNING, TaskStatus.WAITING)
    queue.computed(task, 6.0, 6.0)
    assert (task.finished, waiting.started, waiting.status) == (6.0, 6.0, TaskStatus.RUNNING)


def test_slots_are_handed_on_at_the_moment_they_were_freed_even_if_nobody_looked():
    queue = TaskQueue(slots=2, latency=10.0, jitter=0)
    tasks = [_add(queue, str(n), 0.0) for n in range(6)]
    queue.advance(25.0)
    assert [task.started for task in tasks] == [0, 0, 10, 10, 20, 20]
    assert [task.finished for task in tasks] == [10, 10, 20, 20, None, None]


def test_the_queue_shrinks_as_seen_by_who_waits():
    queue = TaskQueue(slots=1, latency=10.0, jitter=0)
    tasks = [_add(queue, str(n), 0.0) for n in range(4)]
    assert [queue.queue_remaining(task) for task in tasks[1:]] == [1, 2, 3]
    queue.advance(10.0)
    assert [queue.queue_remaining(task) for task in tasks[2:]] == [1, 2]


def test_the_estimate_counts_the_queue():
    queue = TaskQueue(slots=2, latency=10.0, jitter=0)
    assert [queue.estimate(_add(queue, str(n), 0.0)) for n in range(5)] == [10, 10, 15, 20, 25]


def test_the_estimate_learns_how_long_a_workflow_really_takes():
    queue = TaskQueue(slots=0, latency=0.0, jitter=0)
    first = _add(queue, "a", 0.0, computed=False)
    queue.computed(first, 3.0, 3.0)
    assert queue.estimate(_add(queue, "b", 4.0)) == 3.0


def test_progress_rises_and_the_remaining_time_falls():
    queue = TaskQueue(slots=0, latency=10.0, jitter=0)
    task = _add(queue, "a", 0.0, computed=False)
    seen = []
    for now in range(0, 40, 2):
        queue.advance(now)
        seen.append((task.progress(now), task.eta(now)))
    assert seen == sorted(seen, key=lambda pair: pair[0])
    assert [eta for _, eta in seen] == sorted((eta for _, eta in seen), reverse=True)
    assert seen[0] == (0.0, 10.0)
    assert seen[-1][0] < 1
    queue.computed(task, 40.0, 40.0)
    assert (task.progress(41.0), task.eta(41.0)) == (1.0, 0.0)


def test_jitter_is_bounded_and_the_same_every_time():
    spans = [
        [_add(queue, str(n), 0.0).service_seconds for n in range(50)]
        for queue in (TaskQueue(slots=0, latency=10.0, jitter=0.2), TaskQueue(slots=0, latency=10.0, jitter=0.2))
    ]
    assert spans[0] == spans[1]
    assert min(spans[0]) >= 8
    assert max(spans[0]) <= 12
    assert len(set(spans[0])) > 40


def test_a_task_declared_failed_frees_its_slot_and_stays_failed():
    queue = TaskQueue(slots=1, latency=10.0, jitter=0)
    running, waiting, last = _add(queue, "a", 0.0, computed=False), _add(queue, "b", 0.0), _add(queue, "c", 0.0)
    queue.fail(waiting, TaskFailure("x", "y"), 1.0)
    queue.fail(running, TaskFailure("x", "y"), 2.0)
    queue.computed(running, 3.0, 1.0)
    queue.advance(12.0)
    assert (running.status, waiting.status, last.status) == (TaskStatus.FAILED, TaskStatus.FAILED, TaskStatus.SUCCEEDED)
    assert last.started == 2.0


def test_a_forgotten_task_may_still_finish_computing():
    queue = TaskQueue(slots=1, latency=1.0, jitter=0)
    task = _add(queue, "a", 0.0, computed=False)
    queue.clear()
    queue.computed(task, 2.0, 1.0)
    assert _add(queue, "b", 2.0).status is TaskStatus.RUNNING


@given(
    slots=st.integers(1, 4),
    steps=st.lists(st.tuples(st.sampled_from(["add", "compute", "fail", "wait"]), st.integers(0, 7)), max_size=60),
)
def test_never_more_tasks_run_than_there_are_slots_and_all_end(slots, steps):
    queue, now, tasks = TaskQueue(slots=slots, latency=2.0, jitter=0.5), 0.0, []
    for action, number in steps:
        if action == "add":
            tasks.append(_add(queue, str(len(tasks)), now, computed=number % 2 == 0))
        elif action == "wait":
            now += number
            queue.advance(now)
        elif tasks:
            task = tasks[number % len(tasks)]
            if action == "fail":
                queue.fail(task, TaskFailure("x", "y"), now)
            elif task.computed is None:
                queue.computed(task, now, 1.0)
        assert sum(task.status is TaskStatus.RUNNING for task in tasks) <= slots
    for task in tasks:
        if task.computed is None:
            queue.computed(task, now, 1.0)
    queue.advance(now + 1000)
    assert {task.status for task in tasks} <= {TaskStatus.SUCCEEDED, TaskStatus.FAILED}
    assert all(task.started >= task.created and task.finished >= task.started for task in tasks)


def test_over_the_wire_waiting_running_and_done_look_as_documented(start, clock):
    wire = start(clock, slots=1, latency=10, workflows={"nap": lambda _: {}})
    first, second = (wire.submit("nap").data["taskId"] for _ in range(2))
    assert wire.poll(second).data == {
        "taskId": second, "status": "waiting", "progress": 0.0, "etaRelative": 0.0, "lastQueueRemaining": 1,
    }  # fmt: skip
    clock.value += 5
    running = wire.poll(first).data
    assert (running["status"], running["progress"], running["etaRelative"]) == ("running", 0.45, 5.0)
    assert running["state"] == {"nodeLabel": "KSampler", "step": 9, "maxSteps": 20}
    clock.value += 5
    assert wire.final(first) == {"taskId": first, "status": "succeeded", "progress": 1.0, "etaRelative": 0.0}
    assert wire.poll(second).data["status"] == "running"
    assert wire.result(first).data["taskDuration"] == pytest.approx(10_000, abs=1)
