"""Opening, locking, refusing; and the small rooms: uploads, digests, arrivals."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import StoreError
from speedpix_pipe.store import ArrivalState, Store, Verdict
from speedpix_pipe.store import folder as folder_module
from speedpix_pipe.store.locks import spec_lock_path
from speedpix_pipe.store.migrations import MIGRATIONS
from speedpix_pipe.store.mounts import file_system_of, is_network, refuse_network

from .conftest import Clock, House

ACCOUNT = "service.example:443|key-a"


# --- opening -------------------------------------------------------------------------------------


def test_a_state_folder_is_private_and_unseen_by_git(house: House, folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_reserve_is_really_there(house: House, folder: Path) -> None:
    assert (folder / "reserve").stat().st_blocks * 512 >= 4 * 1024**2


def test_reading_a_folder_without_state_is_refused_and_creates_nothing(folder: Path) -> None:
    with pytest.raises(StoreError, match="there is no state in"):
        Store.open(folder, write=False)
    assert not folder.exists()


def test_a_folder_of_a_newer_version_is_refused(house: House, folder: Path) -> None:
    house.store.close()
    with sqlite3.connect(folder / "journal.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    for write in (True, False):
        with pytest.raises(StoreError, match="newer speedpix-pipe") as caught:
            Store.open(folder, write=write)
        assert caught.value.exit_code == 2


def test_a_database_of_another_program_is_refused(folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "journal.db") as connection:
        connection.execute("PRAGMA application_id = 7")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        Store.open(folder)


def test_old_tables_are_brought_up_to_date_only_when_nobody_uses_them(
    house: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "speedpix_pipe.store.migrations.MIGRATIONS", [*MIGRATIONS, lambda c: c.execute("CREATE TABLE x (y)")]
    )
    monkeypatch.setattr("speedpix_pipe.store.store.MIGRATIONS", [*MIGRATIONS, None])
    with pytest.raises(StoreError, match="another process uses"):
        Store.open(folder)
    house.store.close()
    with pytest.raises(StoreError, match="older speedpix-pipe"):
        Store.open(folder, write=False)
    Store.open(folder).close()
    with sqlite3.connect(folder / "journal.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    connection.close()


def test_two_stores_share_a_folder_and_see_each_other(house: House, folder: Path, run: Any) -> None:
    with Store.open(folder) as other:
        row = run(house.intend())
        assert other.ledger.look(ACCOUNT, "f1") == row


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path / "file" / ".speedpix")
    assert "SPEEDPIX_STATE_DIR" in (caught.value.hint or "")


def test_closing_twice_is_fine_and_a_closed_store_says_so(house: House, run: Any) -> None:
    house.store.close()
    house.store.close()
    with pytest.raises(StoreError, match="closed"):
        run(house.intend())


def test_room_is_asked_of_the_file_system(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk(free_mib: int, total_mib: int) -> None:
        found = os.statvfs_result((4096, 4096, total_mib * 256, free_mib * 256, free_mib * 256, 1, 1, 1, 0, 255))
        monkeypatch.setattr(folder_module.os, "statvfs", lambda _path: found)

    disk(300, 1000)
    assert house.store.free_space_ok()
    disk(255, 1000)
    assert not house.store.free_space_ok()
    disk(300, 100_000)
    assert not house.store.free_space_ok()


# --- network file systems ------------------------------------------------------------------------

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
40 22 0:40 / /mnt/share rw shared:7 - nfs4 server:/x rw
41 22 0:41 / /mnt/my\\040photos rw - cifs //nas/photos rw
42 40 0:42 / /mnt/share/local rw - ext4 /dev/sdb rw
43 22 0:43 / /mnt/ssh rw - fuse.sshfs me@host:/ rw
44 22 0:44 / /mnt/usb rw - fuseblk /dev/sdc rw
45 22 0:45 / /mnt/over rw - ext4 /dev/sdd rw
46 22 0:46 / /mnt/over rw - nfs server:/y rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/home/me/.speedpix", "ext4", False),
        ("/mnt/share/work/.speedpix", "nfs4", True),
        ("/mnt/shared", "ext4", False),
        ("/mnt/my photos/x", "cifs", True),
        ("/mnt/share/local/x", "ext4", False),
        ("/mnt/ssh/x", "fuse.sshfs", True),
        ("/mnt/usb/x", "fuseblk", False),
        ("/mnt/over/x", "nfs", True),
    ],
)
def test_the_mount_that_holds_a_folder_decides(path: str, kind: str, network: bool) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind
    assert is_network(kind) is network


def test_a_state_folder_on_a_share_is_refused_with_the_remedy() -> None:
    with pytest.raises(StoreError, match=r"network file system \(nfs4\)") as caught:
        refuse_network(Path("/mnt/share/x"), MOUNTS)
    assert "SPEEDPIX_STATE_DIR" in (caught.value.hint or "")
    refuse_network(Path("/home/x"), MOUNTS)
    refuse_network(Path("/home/x"), "")


# --- locks ---------------------------------------------------------------------------------------


def test_one_process_per_spec_and_the_refusal_says_who(house: House, folder: Path, tmp_path: Path) -> None:
    spec = tmp_path / "shots.yaml"
    link = tmp_path / "link.yaml"
    link.symlink_to(spec)
    with Store.open(folder) as other, house.store.lock(spec, run_id="run-1"):
        with pytest.raises(StoreError, match=rf"process {os.getpid()} on .*: run run-1, started \d{{4}}"):
            other.lock(spec, run_id="run-2").__enter__()
        with other.lock(tmp_path / "other.yaml", run_id="run-2"):
            pass
        assert spec_lock_path(folder, link).name.split("-")[0] == spec_lock_path(folder, spec).name.split("-")[0]
    with house.store.lock(spec, run_id="run-3"):
        pass


def test_a_holder_that_has_not_written_its_name_yet_is_still_a_holder(
    house: House, folder: Path, tmp_path: Path
) -> None:
    with spec_lock_path(folder, tmp_path / "a.yaml").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="just starting"):
            house.store.lock(tmp_path / "a.yaml", run_id="r").__enter__()


def test_children_do_not_keep_a_lock_alive(house: House, folder: Path, tmp_path: Path, run: Any) -> None:
    run(house.begin())
    lock = house.store.lock(tmp_path / "a.yaml", run_id="run-1")
    lock.__enter__()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lock.__exit__(None, None, None)
        house.store.close()
        with Store.open(folder) as other, other.lock(tmp_path / "a.yaml", run_id="run-2"):
            assert other.journal.run("run-1").died
        child.communicate(b"\n")


# --- uploads -------------------------------------------------------------------------------------


def test_an_upload_is_reused_until_its_expiry_less_the_margin(house: House, run: Any) -> None:
    uploads, clock = house.store.uploads, house.clock

    async def main() -> None:
        await uploads.remember(ACCOUNT, "s1", "image/png", "https://up.example/1", clock() + timedelta(hours=1), 3)

    run(main())
    assert uploads.look(ACCOUNT, "s1", "image/png", margin_seconds=600) == (
        "https://up.example/1",
        clock() + timedelta(seconds=3000),
    )
    assert uploads.look(ACCOUNT, "s1", "image/jpeg", margin_seconds=600) is None
    assert uploads.look("other|key", "s1", "image/png", margin_seconds=600) is None
    clock.pass_seconds(3000)
    assert uploads.look(ACCOUNT, "s1", "image/png", margin_seconds=600) is None
    assert uploads.look(ACCOUNT, "s1", "image/png", margin_seconds=599) == (
        "https://up.example/1",
        clock() + timedelta(seconds=1),
    )


def test_an_upload_without_known_expiry_is_trusted_for_half_an_hour(house: House, run: Any) -> None:
    uploads = house.store.uploads

    async def main() -> None:
        await uploads.remember(ACCOUNT, "s1", "image/png", "https://up.example/1", None, 3)
        await uploads.remember(ACCOUNT, "s1", "image/png", "https://up.example/2", None, 3)

    run(main())
    house.clock.pass_seconds(1799)
    until = house.clock() + timedelta(seconds=1)
    assert uploads.look(ACCOUNT, "s1", "image/png", margin_seconds=1800) == ("https://up.example/2", until)
    house.clock.pass_seconds(1)
    assert uploads.look(ACCOUNT, "s1", "image/png", margin_seconds=0) is None


def test_an_upload_is_known_before_it_is_on_disk_and_after_whatever_was_looked_for_ahead(
    house: House, run: Any
) -> None:
    uploads = house.store.uploads

    def look() -> str | None:
        found = uploads.look(ACCOUNT, "s1", "image/png", margin_seconds=0)
        return None if found is None else found[0]

    async def main() -> None:
        uploads.ahead(ACCOUNT, ["s1", "s2"])
        assert look() is None
        uploads.ahead(ACCOUNT, ["s1", "s2"])
        written = uploads.remember(ACCOUNT, "s1", "image/png", "https://up.example/1", None, 3)
        assert look() == "https://up.example/1"
        uploads.ahead(ACCOUNT, ["s1", "s2"])  # maybe before its commit
        await written
        assert look() == look() == "https://up.example/1"
        uploads.ahead(ACCOUNT, ["s1", "s2"])
        assert look() == "https://up.example/1"
        assert uploads.look("other|key", "s1", "image/png", margin_seconds=0) is None

    run(main())


def test_an_upload_that_the_service_lost_is_forgotten(house: House, run: Any) -> None:
    async def main() -> None:
        await house.store.uploads.remember(ACCOUNT, "s1", "image/png", "https://up.example/1", None, 3)
        await house.store.uploads.forget(ACCOUNT, "s1")

    run(main())
    assert house.store.uploads.look(ACCOUNT, "s1", "image/png", margin_seconds=0) is None


# --- digests -------------------------------------------------------------------------------------


def age(path: Path, clock: Clock, seconds: float) -> None:
    moment = int((clock().timestamp() - seconds) * 1e9)
    os.utime(path, ns=(moment, moment))


def forged(store: Store) -> int:
    """Change every remembered digest, so that a look tells where its answer came from."""
    with sqlite3.connect(store.folder / "journal.db") as connection:
        count = connection.execute("UPDATE digests SET sha256 = 'remembered'").rowcount
    connection.close()
    return count


def test_a_digest_is_remembered_across_runs_while_nothing_changes(
    house: House, folder: Path, tmp_path: Path, run: Any
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    age(path, house.clock, 3)
    assert house.store.digests.digest(path) == hashlib.sha256(b"one").hexdigest()
    run(house.store.flush())
    assert forged(house.store) == 1
    with Store.open(folder) as again:
        assert again.digests.peek(path) == again.digests.digest(path) == "remembered"
        path.write_bytes(b"two")
        assert again.digests.peek(path) is None
        assert again.digests.digest(path) == hashlib.sha256(b"two").hexdigest()


def test_a_digest_of_a_file_written_just_now_is_not_remembered(house: House, tmp_path: Path, run: Any) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    age(path, house.clock, 2.9)
    house.store.digests.digest(path)
    age(path, house.clock, -100)
    house.store.digests.digest(path)
    run(house.store.flush())
    assert forged(house.store) == 0


def test_equal_size_and_mtime_do_not_hide_a_change(house: House, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    age(path, house.clock, 50)
    house.store.digests.digest(path)
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # some kernels move it every few milliseconds only
        path.write_bytes(b"two")
        age(path, house.clock, 50)
    assert house.store.digests.digest(path) == hashlib.sha256(b"two").hexdigest()


def test_a_pipe_is_no_file(house: House, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is not a file"):
        house.store.digests.digest(tmp_path / "pipe")


# --- arrivals ------------------------------------------------------------------------------------


def test_an_arrival_goes_from_claim_to_its_last_place(house: House, run: Any) -> None:
    arrivals, inbox = house.store.arrivals, Path("/inbox/shoe.jpg")
    claim, done = Path("/inbox/.speedpix-claims/w/01A/shoe.jpg"), Path("/inbox/done/shoe.jpg")

    async def main() -> None:
        await arrivals.claimed("01A", watcher="w", path=inbox, bytes_path=claim, sha256="s", size=3)
        (row,) = arrivals.open("w")
        assert (row.state, row.path, row.bytes_path, row.arrived_at) == (
            ArrivalState.CLAIMED,
            inbox,
            claim,
            house.clock(),
        )
        assert arrivals.undecided(inbox)
        await arrivals.running(["01A"], "run-1")
        assert [row.id for row in arrivals.of_run("run-1")] == ["01A"]
        await arrivals.judged("01A", Verdict.DONE)
        assert not arrivals.undecided(inbox)
        assert arrivals.open("w")[0].verdict is Verdict.DONE
        await arrivals.moving("01A", done)
        await arrivals.placed("01A")
        assert arrivals.open("w") == []
        assert arrivals.open("other") == []
        assert arrivals.where(inbox, "s") == done
        placed = arrivals.get("01A")
        assert placed is not None
        assert (placed.state, placed.run_id, placed.placed_at) == (ArrivalState.PLACED, "run-1", house.clock())

    run(main())


def test_a_failed_arrival_keeps_its_reason_and_a_claim_can_be_taken_over(house: House, run: Any) -> None:
    arrivals, inbox = house.store.arrivals, Path("/inbox/\udcff.jpg")

    async def main() -> None:
        await arrivals.claimed("01A", watcher="w", path=inbox, bytes_path=inbox, sha256="s", size=3)
        await arrivals.judged("01A", Verdict.FAILED, reason="too dark", step="white")
        await arrivals.claimed("01A", watcher="w2", path=inbox, bytes_path=inbox, sha256="s", size=3)
        (row,) = arrivals.open("w2")
        assert (row.path, row.reason, row.step, row.verdict) == (inbox, "too dark", "white", Verdict.FAILED)
        assert arrivals.get("01B") is None

    run(main())


def test_notes_are_out_of_date_that_were_written_since_the_last_arrival_that_was_done(house: House, run: Any) -> None:
    arrivals, shoe, hat = house.store.arrivals, Path("/inbox/shoe.jpg"), Path("/inbox/hat.jpg")

    async def arrive(identity: str, path: Path, verdict: Verdict, *, placed: bool = True) -> None:
        await arrivals.claimed(identity, watcher="w", path=path, bytes_path=path, sha256="s", size=3)
        await arrivals.judged(identity, verdict)
        if placed:
            await arrivals.moving(identity, Path(f"/inbox/failed/{identity}.jpg"))
            await arrivals.placed(identity)

    async def main() -> None:
        await arrive("01", shoe, Verdict.FAILED)
        await arrive("02", shoe, Verdict.DONE)
        await arrive("03", shoe, Verdict.FAILED)
        await arrive("04", hat, Verdict.FAILED)
        await arrive("05", shoe, Verdict.FAILED)
        await arrive("06", shoe, Verdict.FAILED, placed=False)
        await arrive("07", shoe, Verdict.DONE)
        assert [row.id for row in arrivals.failed_before({"07": shoe})] == ["03", "05"]
        assert [row.id for row in arrivals.failed_before({"08": hat, "07": shoe})] == ["04", "03", "05"]
        assert arrivals.failed_before({"09": Path("/inbox/other.jpg")}) == []

    run(main())
