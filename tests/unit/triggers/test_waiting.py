"""Waiting: settled is what looked the same at every look, for `settle` of monotonic time; and what is due when."""

from __future__ import annotations

import random

import pytest

from speedpix_pipe.triggers.settle import Signature
from speedpix_pipe.triggers.waiting import Waiting


def sign(size: int = 1, mtime: int = 0, inode: int = 7) -> Signature:
    return Signature(1, inode, size, mtime, mtime)


def ready(waiting: Waiting, now: float, most: int = 100) -> list[str]:
    waiting.advance(now)
    return [sighting.name for sighting in waiting.take(most)]


def test_a_file_is_settled_after_standing_still_for_its_time() -> None:
    waiting = Waiting(2.0)
    waiting.looked({"a": sign()}, 100.0)
    assert ready(waiting, 101.9) == []
    assert waiting.next_due(101.9) == pytest.approx(0.1)
    assert waiting.moving
    waiting.looked({"a": sign()}, 101.9)
    assert ready(waiting, 102.0) == ["a"]
    assert not waiting.moving


@pytest.mark.parametrize("other", [sign(size=2), sign(mtime=5), sign(inode=8)])
def test_whatever_differs_starts_the_time_over(other: Signature) -> None:
    waiting = Waiting(2.0)
    waiting.looked({"a": sign()}, 100.0)
    assert waiting.looked({"a": other}, 101.0) == 1
    assert ready(waiting, 102.5) == []
    assert ready(waiting, 103.0) == ["a"]


def test_a_file_that_is_ready_and_changes_is_ready_no_longer() -> None:
    waiting = Waiting(2.0)
    waiting.looked({"a": sign()}, 100.0)
    waiting.advance(102.0)
    assert waiting.ready == 1
    waiting.looked({"a": sign(size=2)}, 102.0)
    assert waiting.ready == 0
    assert ready(waiting, 103.9) == []
    assert ready(waiting, 104.0) == ["a"]


def test_times_of_files_are_compared_and_never_subtracted_from_now() -> None:
    """A share whose clock is a year ahead, and a machine whose clock is set back, change nothing."""
    waiting = Waiting(2.0)
    waiting.looked({"a": sign(mtime=10**20), "b": sign(mtime=-(10**18))}, 5.0)
    assert ready(waiting, 7.0) == ["a", "b"]


def test_a_picture_is_to_be_decoded_from_half_its_time_on_and_is_ready_at_its_end() -> None:
    waiting = Waiting(2.0)
    waiting.looked({"a.jpg": sign()}, 100.0)
    assert waiting.advance(100.9) == []
    (picture,) = waiting.advance(101.0)
    assert picture.name == "a.jpg"
    waiting.vetted(picture, "", 101.5)
    assert ready(waiting, 101.9) == []
    assert ready(waiting, 102.0) == ["a.jpg"]


def test_a_settled_picture_waits_for_its_decoder() -> None:
    waiting = Waiting(2.0)
    waiting.looked({"a.jpg": sign()}, 100.0)
    (picture,) = waiting.advance(101.0)
    assert ready(waiting, 103.0) == []
    assert (waiting.moving, waiting.undecided) == (False, True)
    waiting.vetted(picture, "", 103.5)
    assert not waiting.undecided
    assert ready(waiting, 103.5) == ["a.jpg"]


def test_a_change_forgets_what_the_decoder_said() -> None:
    waiting = Waiting(1.0)
    waiting.looked({"a.jpg": sign()}, 0.0)
    (picture,) = waiting.advance(0.5)
    waiting.vetted(picture, "is cut off", 0.6)
    waiting.looked({"a.jpg": sign(size=9)}, 0.7)
    assert (picture.usable, picture.fault) == (None, "")
    assert waiting.advance(1.2) == [picture]


def test_an_answer_about_what_a_picture_was_before_it_changed_is_asked_for_again() -> None:
    waiting = Waiting(1.0)
    waiting.looked({"a.jpg": sign()}, 0.0)
    (picture,) = waiting.advance(0.5)
    waiting.looked({"a.jpg": sign(size=9)}, 0.6)
    assert waiting.advance(1.2) == [picture], "due while the first answer is still out"
    waiting.vet_again(picture, 1.3)
    assert waiting.advance(1.3) == [picture]


def test_a_bad_picture_is_tried_again_and_given_up_after_ten_times_settle() -> None:
    waiting = Waiting(0.5)
    waiting.looked({"a.jpg": sign()}, 0.0)
    tries, now = 0, 0.0
    while now < 4.95:
        for picture in waiting.advance(now):
            tries += 1
            waiting.vetted(picture, "is cut off", now)
        assert waiting.take(1) == []
        now += 0.05
    assert 8 <= tries <= 10
    assert ready(waiting, 5.0) == ["a.jpg"]


def test_a_refused_file_is_tried_later_and_lets_the_others_pass() -> None:
    waiting = Waiting(1.0)
    waiting.looked({"a": sign(inode=1), "b": sign(inode=2)}, 0.0)
    waiting.advance(1.0)
    (first,) = waiting.take(1)
    waiting.refused(first, 1.0)
    assert ready(waiting, 1.0) == ["b"]
    assert waiting.next_due(1.0) == pytest.approx(1.0)
    assert ready(waiting, 2.0) == ["a"]
    waiting.refused(first, 2.0)
    assert ready(waiting, 3.9) == []
    assert ready(waiting, 4.0) == ["a"]


def test_a_name_whose_earlier_arrival_is_at_work_is_held_back_until_it_is_free() -> None:
    busy = {"a"}
    waiting = Waiting(1.0, lambda name: name not in busy)
    waiting.looked({"a": sign(), "b": sign()}, 0.0)
    assert ready(waiting, 5.0) == ["b"]
    busy.clear()
    waiting.freed("a", 6.0)
    assert ready(waiting, 6.0) == ["a"]


def test_files_are_taken_in_the_order_in_which_they_came() -> None:
    waiting = Waiting(1.0)
    waiting.looked({"z": sign()}, 0.0)
    waiting.looked({"z": sign(size=2), "b": sign(), "a": sign()}, 0.5)
    assert ready(waiting, 9.0, most=2) == ["z", "a"]
    assert ready(waiting, 9.0) == ["b"]


def test_another_settle_counts_for_what_is_not_ready_yet() -> None:
    waiting = Waiting(100.0)
    waiting.looked({"a": sign()}, 0.0)
    assert ready(waiting, 3.0) == []
    waiting.seconds = 2.0
    assert waiting.next_due(3.0) == 0.0
    assert ready(waiting, 3.0) == ["a"]


def test_without_any_settle_a_file_is_ready_at_first_sight_and_a_bad_picture_is_given_up_at_once() -> None:
    waiting = Waiting(0.0)
    waiting.looked({"a": sign(), "b.jpg": sign()}, 5.0)
    (picture,) = waiting.advance(5.0)
    waiting.vetted(picture, "is cut off", 5.0)
    assert ready(waiting, 5.0) == ["a", "b.jpg"]


def test_what_was_taken_and_left_is_ready_still_in_its_old_place() -> None:
    waiting = Waiting(1.0)
    waiting.looked({"a": sign(inode=1), "b": sign(inode=2), "c": sign(inode=3)}, 0.0)
    waiting.advance(1.0)
    first, second = waiting.take(2)
    waiting.gone(first.name)
    waiting.left(second, 1.0)
    assert ready(waiting, 1.0) == ["b", "c"]


def test_a_look_is_the_whole_truth() -> None:
    waiting = Waiting(1.0)
    assert waiting.looked({"a": sign(), "b.jpg": sign()}, 0.0) == 2
    assert waiting.looked({"b.jpg": sign()}, 0.1) == 0
    assert list(waiting.files) == ["b.jpg"]
    waiting.advance(2.0)
    waiting.looked({}, 2.0)
    assert (waiting.ready, waiting.moving, waiting.undecided, waiting.next_due(2.0)) == (0, False, False, None)


def test_what_is_due_is_found_without_looking_through_the_others() -> None:
    """Counted, not timed: every file is considered a fixed number of times, however many others wait."""
    considered = {}
    for many in (100, 10_000):
        waiting = Waiting(1.0)
        counts = 0

        def counting(*args: object, original: object = waiting._consider) -> None:
            nonlocal counts
            counts += 1
            original(*args)  # type: ignore[operator]

        waiting._consider = counting  # type: ignore[method-assign]
        waiting.looked({f"{number}": sign(inode=number) for number in range(many)}, 0.0)
        now = 1.0
        while waiting.files:
            waiting.advance(now)
            for sighting in waiting.take(50):
                waiting.gone(sighting.name)
            now += 0.01
        considered[many] = counts / many
    assert considered == {100: 1, 10_000: 1}


def test_a_file_that_changes_all_the_time_fills_no_agenda() -> None:
    waiting = Waiting(60.0)
    for look in range(1000):
        waiting.looked({"a": sign(size=look), "b.jpg": sign(size=look)}, look / 20)
        waiting.advance(look / 20)
    assert len(waiting._agenda) <= 4


def test_whatever_happens_in_whatever_order_every_settled_file_is_offered_in_the_end() -> None:
    choose = random.Random(7)
    for _ in range(60):
        busy: set[str] = set()
        waiting = Waiting(1.0, lambda name, busy=busy: name not in busy)
        files: dict[str, Signature] = {}
        vetting, now = [], 0.0
        for number in range(300):
            now += choose.random() / 3
            name = choose.choice(["a", "b", "c.jpg", "d.jpg"])
            match choose.randrange(8):
                case 0 | 1:
                    files[name] = sign(inode=number)
                    waiting.looked(files, now)
                case 2:
                    files.pop(name, None)
                    waiting.looked(files, now)
                case 3:
                    waiting.looked(files, now)
                case 4 if vetting:
                    picture, seen = vetting.pop(0)
                    if picture.signature == seen:
                        waiting.vetted(picture, choose.choice(["", "is cut off"]), now)
                    else:
                        waiting.vet_again(picture, now)
                case 5:
                    (busy.remove if name in busy else busy.add)(name)
                    waiting.freed(name, now)
                case 6:
                    for sighting in waiting.take(1):
                        choose.choice([waiting.refused, waiting.disturbed])(sighting, now)
                case _:
                    pass
            vetting += [(picture, picture.signature) for picture in waiting.advance(now)]
        for name in list(busy):
            busy.remove(name)
            waiting.freed(name, now)
        offered: set[str] = set()
        for _ in range(2000):
            for picture, seen in vetting:
                if picture.signature == seen:
                    waiting.vetted(picture, "", now)
                else:
                    waiting.vet_again(picture, now)
            vetting = [(picture, picture.signature) for picture in waiting.advance(now)]
            for sighting in waiting.take(9):
                offered.add(sighting.name)
                waiting.gone(sighting.name)
            due = waiting.next_due(now)
            if due is None and not vetting:
                break
            now += due or 0.0
        assert offered == set(files)
        assert waiting.files == {}
