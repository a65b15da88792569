"""Hot folders on mounts: read-only, full, other devices, unmounted. In a user namespace of its own (`unshare -rm`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.store import Verdict
from tests.functional.watching import SPEC, Desk, arrivals, emulator


def _may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], check=False, capture_output=True, timeout=20
    )
    return tried.returncode == 0


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not _may_mount(), reason="this machine allows no mounts to users")]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with emulator() as service:
        yield Desk(tmp_path, service)


def _script(desk: Desk, script: str) -> subprocess.CompletedProcess[str]:
    """A shell script in a mount namespace; `$W` watches, `$P` is Python, the folder of the desk is the current one."""
    watch = f"{sys.executable} -m speedpix_pipe watch hot.yaml"
    environment = {**os.environ, **desk.environment, "W": watch, "P": sys.executable}
    return subprocess.run(
        ["unshare", "-rm", "sh", "-e", "-c", script],
        cwd=desk.folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )


AWAIT = 'await() { for i in $(seq 400); do if eval "$1"; then return 0; fi; sleep 0.05; done; echo "never: $1" >&2; exit 9; }\n'


def test_a_root_that_is_read_only_is_refused_with_a_sentence(desk: Desk) -> None:
    done = _script(desk, "mount -t tmpfs none inbox; mount -o remount,ro inbox; $W --once || exit $?")
    assert done.returncode == 2
    assert "the watched folder" in done.stderr
    assert "cannot be written: Read-only file system" in done.stderr


def test_a_sub_folder_on_another_device_is_refused_with_a_sentence(desk: Desk) -> None:
    desk.rewrite(SPEC.replace('"*.dat"', '"**/*.dat"'))
    done = _script(desk, "mkdir inbox/stick; mount -t tmpfs none inbox/stick; $W --once || exit $?")
    assert done.returncode == 2
    assert "inbox/stick lies on another file system" in done.stderr


def test_a_read_only_done_folder_keeps_the_file_claimed_until_it_can_be_written(desk: Desk) -> None:
    script = """
        mkdir inbox/done; mount -t tmpfs none inbox/done; mount -o remount,ro inbox/done
        $W --health health.json & watcher=$!
        echo a > inbox/a.dat
        await 'grep -q red health.json 2>/dev/null'
        test -n "$(find inbox/.speedpix-claims -name a.dat)"
        mount -o remount,rw inbox/done
        await 'test -s inbox/done/a.dat'
        await 'grep -q green health.json'
        kill $watcher; wait $watcher || true
    """
    done = _script(desk, AWAIT + script)
    assert done.returncode == 0, done.stderr
    assert "Read-only file system" in done.stderr
    assert desk.predictions == 1


def test_a_full_disk_under_done_keeps_the_file_claimed_and_leaves_nothing_half_there(desk: Desk) -> None:
    script = """
        mkdir inbox/done; mount -t tmpfs -o size=1m none inbox/done
        head -c 1000000 /dev/zero > inbox/done/full
        $W --health health.json & watcher=$!
        head -c 500000 /dev/zero > inbox/a.dat
        await 'grep -q red health.json 2>/dev/null'
        test "$(ls -A inbox/done)" = full
        rm inbox/done/full
        await 'test "$(stat -c %s inbox/done/a.dat 2>/dev/null)" = 500000'
        kill $watcher; wait $watcher || true
    """
    done = _script(desk, AWAIT + script)
    assert done.returncode == 0, done.stderr
    assert "No space left on device" in done.stderr


def test_a_mount_point_that_is_unmounted_is_waited_for_and_its_empty_folder_never_used(desk: Desk) -> None:
    script = """
        mkdir disk; mount -t tmpfs none disk; mount --bind disk inbox
        $W --health health.json & watcher=$!
        echo a > inbox/a.dat
        await 'test -s inbox/done/a.dat'
        await 'test -z "$(find inbox/.speedpix-claims -type f)"'
        umount -l inbox
        await 'grep -q "not mounted" health.json'
        echo wrong > inbox/wrong.dat
        sleep 1
        test "$(ls -A inbox)" = wrong.dat
        mount --bind disk inbox
        echo b > inbox/b.dat
        await 'test -s inbox/done/b.dat'
        kill $watcher; wait $watcher || true
    """
    done = _script(desk, AWAIT + script)
    assert done.returncode == 0, done.stderr
    assert desk.predictions == 2


def test_a_claim_that_cannot_be_removed_after_its_copy_leaves_one_copy_and_not_one_more_each_time(desk: Desk) -> None:
    """Done lies on another disk, and the inbox turns read-only before the file has moved."""
    desk.rewrite(SPEC.replace("settle: 100ms", "settle: 100ms\n  on_success: {move: finished}"))
    script = """
        mkdir finished; mount -t tmpfs none finished; mount -t tmpfs none inbox
        mount -t tmpfs -o size=4k none finished
        $W --health health.json & watcher=$!
        head -c 50000 /dev/zero > inbox/a.dat
        await 'grep -q "No space left" health.json 2>/dev/null'
        mount -o remount,ro inbox
        mount -o remount,size=10m finished
        await 'grep -q "Read-only file system" health.json'
        sleep 4
        test -z "$(ls finished)"
        mount -o remount,rw inbox
        await 'test -s finished/a.dat'
        await 'grep -q green health.json'
        test "$(ls -A finished)" = a.dat
        test -z "$(find inbox/.speedpix-claims -type f 2>/dev/null)"
        kill $watcher; wait $watcher || true
    """
    done = _script(desk, AWAIT + script)
    assert done.returncode == 0, done.stderr
    assert desk.predictions == 1


def test_a_full_disk_under_the_inbox_leaves_the_files_where_they_are_until_there_is_room(desk: Desk) -> None:
    script = """
        mount -t tmpfs -o size=1m,nr_inodes=20 none inbox
        $W --health health.json & watcher=$!
        echo first > inbox/first.dat
        await 'test -s inbox/done/first.dat'
        for i in $(seq 30); do touch inbox/full$i || break; done 2>/dev/null
        rm inbox/full1; echo a > inbox/a.dat
        await 'grep -q "a.dat in inbox cannot be claimed: No space left on device" health.json'
        test -s inbox/a.dat
        rm inbox/full*
        await 'test -s inbox/done/a.dat'
        await 'grep -q green health.json'
        kill $watcher; wait $watcher || true
    """
    done = _script(desk, AWAIT + script)
    assert done.returncode == 0, done.stderr
    assert desk.predictions == 2


def test_a_full_disk_under_the_state_folder_claims_nothing_until_there_is_room(desk: Desk) -> None:
    """Below 256 MiB nothing is bought, so nothing is taken either."""
    script = """
        mkdir state; mount -t tmpfs -o size=300m none state; export SPEEDPIX_STATE_DIR=$PWD/state
        head -c 100000000 /dev/zero > state/full
        $W --health health.json & watcher=$!
        echo a > inbox/a.dat
        await 'grep -q "disk is nearly full" health.json 2>/dev/null'
        sleep 1
        test -s inbox/a.dat
        rm state/full
        await 'test -s inbox/done/a.dat'
        await 'grep -q green health.json'
        kill $watcher; wait $watcher || true
        head -c 100000000 /dev/zero > state/full
        echo b > inbox/b.dat
        $W --once && exit 3; test -s inbox/b.dat
    """
    done = _script(desk, AWAIT + script)
    assert done.returncode == 0, done.stderr
    assert desk.predictions == 1


CREATED = """
import sqlite3
((count,),) = sqlite3.connect(".speedpix/journal.db").execute("SELECT count(*) FROM submissions WHERE state = 'created'")
raise SystemExit(count == 0)
"""


def test_a_disk_that_is_mounted_again_with_another_number_is_known_by_the_files_that_are_worked_on(
    tmp_path: Path,
) -> None:
    """Shares get a new device number with each mount. The bytes are the same: a copy of them stands for the share."""
    with emulator(latency=6.0) as service:
        desk = Desk(tmp_path, service, SPEC.replace("    save:", "    cache: false\n    save:"))
        (tmp_path / "created.py").write_text(CREATED)
        script = """
            mount -t tmpfs none inbox
            $W --health health.json & watcher=$!
            echo a > inbox/a.dat
            await "$P created.py"
            cp -a inbox copy; umount -l inbox
            await 'grep -q "not mounted" health.json'
            mount -t tmpfs none inbox; cp -a copy/. inbox/
            await 'test -s inbox/done/a.dat'
            await 'test -z "$(find inbox/.speedpix-claims -type f)"'
            kill $watcher; wait $watcher || true
        """
        done = _script(desk, AWAIT + script)
        assert done.returncode == 0, done.stderr
        assert "over: inbox is not mounted any more" in done.stderr
        assert [(row.path.name, row.verdict) for row in arrivals(desk)] == [("a.dat", Verdict.DONE)]
        assert desk.predictions == 1


def test_a_done_folder_that_is_mounted_into_the_watched_one_under_another_name_is_not_entered(desk: Desk) -> None:
    desk.rewrite(
        SPEC.replace('"*.dat"', '"**/*.dat"').replace("settle: 100ms", "settle: 100ms\n  on_success: {move: finished}")
    )
    script = """
        mkdir finished inbox/look; mount --bind finished inbox/look
        echo a > inbox/a.dat
        $W & watcher=$!
        await 'test -s finished/a.dat'
        sleep 1
        test "$(ls finished)" = a.dat
        kill $watcher; wait $watcher || true
    """
    done = _script(desk, AWAIT + script)
    assert done.returncode == 0, done.stderr
    assert desk.predictions == 1
