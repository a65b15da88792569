"""A clock that is set back or forward under a watcher, and files whose times lie anywhere.

The machine's own clock is nobody's to change. So the program runs with a small library before libc that adds to it what a
file says, and every call for the time of day, Python's, SQLite's and OpenSSL's, sees the jump; the kernel, and with it
the times of files, does not. That is also how a share of another machine looks.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.functional.watching import SPEC, Desk, created, emulator, jpeg, until, until_noon

COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(COMPILER is None, reason="needs a C compiler, to stand before libc"),
]
SHIFT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) {
    const char *path = getenv("CLOCK_SHIFT");
    long seconds = 0;
    FILE *file = path ? fopen(path, "re") : NULL;
    if (file) {
        if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(id, at);
    if (answer == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
    return answer;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""
DAY = 86_400


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shift")
    (folder / "shift.c").write_text(SHIFT, encoding="ascii")
    made = folder / "shift.so"
    assert COMPILER is not None
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", made, folder / "shift.c", "-ldl"], check=True)
    return made


class Clock:
    """The clock of the watcher's process: so many seconds beside the machine's."""

    def __init__(self, desk: Desk, library: Path) -> None:
        self.desk = desk
        self.file = desk.folder / ".shift"
        self.environment = {
            **os.environ,
            **desk.environment,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "LD_PRELOAD": str(library),
            "CLOCK_SHIFT": str(self.file),
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(str(seconds), encoding="ascii")
        fresh.rename(self.file)

    @contextmanager
    def watching(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "speedpix_pipe", "watch", "hot.yaml", "--health", "health.json", *arguments]
        with subprocess.Popen(
            command, cwd=self.desk.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        ) as watcher:
            try:
                yield watcher
            finally:
                if watcher.poll() is None:
                    watcher.send_signal(signal.SIGTERM)
                _, self.said = watcher.communicate(timeout=30)
        assert "Traceback" not in self.said, self.said


def placed(desk: Desk, name: str) -> None:
    asyncio.run(until((desk.done / name).exists, 30))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with emulator(latency=1.0) as service:
        yield Desk(tmp_path, service, SPEC.replace("settle: 100ms", "settle: 600ms"))


def now_of(desk: Desk) -> datetime:
    return datetime.fromisoformat(json.loads((desk.folder / "health.json").read_text(encoding="utf-8"))["at"])


def test_the_library_moves_the_clock_that_the_program_sees(desk: Desk, library: Path) -> None:
    clock = Clock(desk, library)
    clock.set(-400 * DAY)
    with clock.watching():
        asyncio.run(until((desk.folder / "health.json").exists, 30))
        behind = datetime.now(UTC) - now_of(desk)
        assert 399 < behind.total_seconds() / DAY < 401


@pytest.mark.parametrize("jump", [-DAY, -3600, 3600, 400 * DAY], ids=["-1d", "-1h", "+1h", "+400d"])
def test_a_jump_while_a_file_settles_and_another_while_its_prediction_is_out_change_nothing(
    desk: Desk, library: Path, jump: int
) -> None:
    clock = Clock(desk, library)
    with clock.watching():
        asyncio.run(until((desk.folder / "health.json").exists, 30))
        dropped = time.monotonic()
        path = desk.drop("shoe.jpg", jpeg(1))
        time.sleep(0.2)
        clock.set(jump)
        asyncio.run(until(lambda: desk.predictions == 1, 30))
        assert time.monotonic() - dropped >= 0.6, "it had its time to settle"
        assert not path.exists()
        clock.set(-jump)
        placed(desk, "shoe.jpg")
        clock.set(jump // 2)
        desk.drop("other.jpg", jpeg(2))
        placed(desk, "other.jpg")
        asyncio.run(until(lambda: '"done": 2' in (desk.folder / "health.json").read_text(), 30))
    assert desk.predictions == 2
    assert desk.claims == []
    assert desk.names(desk.failed) == []
    assert '"status": "green"' in (desk.folder / "health.json").read_text()


@pytest.mark.parametrize("jump", [-400 * DAY, 400 * DAY], ids=["back", "forward"])
def test_a_start_with_another_clock_takes_up_what_a_kill_has_left(desk: Desk, library: Path, jump: int) -> None:
    clock = Clock(desk, library)
    with clock.watching() as watcher:
        desk.drop("shoe.jpg", jpeg(1))
        asyncio.run(until(lambda: created(desk) == 1, 30))
        watcher.kill()
    assert len(desk.claims) == 1
    clock.set(jump)
    with clock.watching("--once") as watcher:
        assert watcher.wait(60) == 0
    assert desk.names(desk.done) == ["shoe.jpg"]
    assert desk.predictions == 1, "the prediction that was out was joined"


def test_a_file_is_taken_no_sooner_because_the_clock_jumps(desk: Desk, library: Path) -> None:
    """Somebody writes to it all the time, and sets its time back each time, while the clock goes to and fro."""
    desk.rewrite(desk.spec.replace("settle: 600ms", "settle: 3s"))  # more than this test ever waits between writes
    clock, jumps = Clock(desk, library), itertools.cycle([0, DAY, 2 * DAY, -DAY, -2 * DAY])
    with clock.watching():
        asyncio.run(until((desk.folder / "health.json").exists, 30))
        path = desk.inbox / "slow.dat"
        for number in range(16):  # for longer than it has to settle
            written = time.monotonic()
            with path.open("ab") as out:
                out.write(b"%d\n" % number)
            os.utime(path, (10**9 - number, 10**9 - number))
            time.sleep(0.1)  # it has seen that
            clock.set(next(jumps))
            time.sleep(0.1)
            assert path.exists()
        while path.exists():
            assert time.monotonic() - written < 30
            clock.set(next(jumps))
            time.sleep(0.1)
        assert time.monotonic() - written >= 3.0, "it had its time to settle"
        placed(desk, "slow.dat")
    assert desk.predictions == 1
    assert (desk.done / "slow.dat").read_bytes().endswith(b"15\n")


@pytest.mark.parametrize("at", [0, 10**9, 4 * 10**9], ids=["1970", "2001", "2096"])
def test_files_of_any_time_are_taken(desk: Desk, library: Path, at: int) -> None:
    clock = Clock(desk, library)
    aside = desk.folder / "aside"
    aside.write_bytes(jpeg(1))
    os.utime(aside, (at, at))
    aside.rename(desk.inbox / "shoe.jpg")
    with clock.watching("--once") as watcher:
        assert watcher.wait(60) == 0
    assert (desk.done / "shoe.jpg").stat().st_mtime == at, "and keep it"


def test_the_budget_of_a_day_is_that_of_the_day_that_the_clock_says(desk: Desk, library: Path) -> None:
    desk.rewrite(desk.spec.replace("steps:", "limits: {per_day: 1}\nsteps:", 1))
    clock = Clock(desk, library)
    noon = round(until_noon().total_seconds())
    clock.set(noon)  # so that the day does not end in between
    with clock.watching():
        desk.drop("a.dat")
        placed(desk, "a.dat")
        desk.drop("b.dat")
        health = desk.folder / "health.json"
        asyncio.run(until(lambda: health.exists() and "per_day" in health.read_text(), 30))
        clock.set(noon + DAY)
        placed(desk, "b.dat")
        clock.set(noon)
        desk.drop("c.dat")
        asyncio.run(until(lambda: "per_day" in health.read_text(), 30))
        assert (desk.inbox / "c.dat").exists()
    assert desk.predictions == 2
