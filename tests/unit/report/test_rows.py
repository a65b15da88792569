"""Which tasks stand in one row."""

from __future__ import annotations

import pytest

from speedpix_pipe.model import TaskStatus
from speedpix_pipe.report.base import TaskView
from speedpix_pipe.report.rows import item_part, make_rows


@pytest.mark.parametrize(
    ("key", "matrix", "known", "part"),
    [
        ("inbox/a.jpg", {}, (), "inbox/a.jpg"),
        ("cup,look=sun,size=1", {"look": "sun", "size": 1}, (), "cup"),
        ("cup,a=x,b=true", {"b": True, "a": "x"}, (), "cup"),
        ("look=sun", {"look": "sun"}, (), ""),
        ("look=sun,size=2", {"look": "sun", "size": 2}, (), ""),
        ("p,look={x}", {"look": {"name": "{x}"}}, (), "p"),
        ("dawn/0", {}, ("dawn",), "dawn"),
        ("dawn/0", {}, (), "dawn/0"),
        ("p1,n=1/0,zoom=2", {"n": 1, "zoom": 2}, ("p1", "p1,n=1"), "p1"),
        ("dawn/0/1,zoom=2", {"zoom": 2}, ("dawn", "dawn/0"), "dawn"),
        ("0", {}, (), "0"),
        ("a" * 111 + "~0123abcd", {"look": "sun"}, (), "a" * 111 + "~0123abcd"),
        ("", {}, (), ""),
    ],
)
def test_the_item_part_of_a_key(key, matrix, known, part):
    assert item_part(key, matrix, set(known)) == part


def test_rows_follow_the_items_and_tasks_the_graph():
    def task(step, key, *order, **matrix):
        return TaskView(step, key, TaskStatus.SUCCEEDED, order=order, matrix=matrix)

    rows = make_rows(
        [
            task("looks", "b,look=y", 1, 1, look="y"),
            task("looks", "b,look=x", 1, 0, look="x"),
            task("sheet", ""),
            task("white", "b", 1),
            task("white", "a", 0),
        ],
        ["white", "looks", "sheet"],
    )
    assert [(row.key, [view.task for view in row.tasks]) for row in rows] == [
        ("", ["sheet@"]),
        ("a", ["white@a"]),
        ("b", ["white@b", "looks@b,look=x", "looks@b,look=y"]),
    ]
