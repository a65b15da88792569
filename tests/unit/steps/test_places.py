import pytest

from speedpix_pipe.steps.places import At, FoundFile, at, find_files, is_url

A, B, C = "https://r/a.png", "http://r/b.png", "HTTPS://r/c.png"


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ({"images": {"url": A}}, [("images.url", A)]),
        ({"images": [A, B]}, [("images.0", A), ("images.1", B)]),
        ({"images": [{"url": A}, {"url": B}]}, [("images.0.url", A), ("images.1.url", B)]),
        ({"poster": {"url": B}, "clip": {"url": A}}, [("poster.url", B), ("clip.url", A)]),
        ({"images": {"url": A, "preview": B}}, [("images.url", A)]),
        ({"preview": A, "images": C}, [("images", C)]),
        ({"deep": {"er": [{"list": [A]}]}}, [("deep.er.0.list.0", A)]),
        ({"a": {"mask": {"url": A}, "url": B}}, [("a.mask.url", A), ("a.url", B)]),
        ({"text": f"see {A}", "more": f"{A} and", "n": 3, "none": None, "url": ""}, []),
        ({"url": A}, [("url", A)]),
        ([A], [("0", A)]),
        (A, [("", A)]),
        (None, []),
        ({"images": {"url": "ftp://r/a.png"}}, []),
    ],
)
def test_files_are_found_in_the_order_of_the_output(output, found):
    assert [(file.place, file.url) for file in find_files(output)] == found


def test_the_object_around_a_url_comes_along():
    about = {"url": A, "type": "image", "width": 3}
    assert find_files({"images": about}) == [FoundFile("images.url", A, about)]


@pytest.mark.parametrize(
    ("text", "answer"), [(A, True), (C, True), (f" {A}", False), ("https://", False), (3, False), ("x", False)]
)
def test_urls(text, answer):
    assert is_url(text) is answer


@pytest.mark.parametrize(
    ("output", "path", "found"),
    [
        ({"images": {"url": A}}, "images", [At("images.url", A)]),
        ({"images": {"url": A}}, "images.url", [At("images.url", A)]),
        ({"images": [{"url": A}, {"url": B}]}, "images", [At("images.0.url", A), At("images.1.url", B)]),
        ({"images": [{"url": A}, {"url": B}]}, "images.url", [At("images.0.url", A), At("images.1.url", B)]),
        ({"images": [{"url": A}, {"url": B}]}, "images.1", [At("images.1.url", B)]),
        ({"images": [A, B]}, "images.url", [At("images.0", A), At("images.1", B)]),
        ({"images": [A, None]}, "images", [At("images.0", A)]),
        ({"images": A}, "images.url", [At("images", A)]),
        ({"shots": [{"pic": {"url": A}, "name": "x"}]}, "shots.pic", [At("shots.0.pic.url", A)]),
        ({"shots": [{"pic": {"url": A}, "name": "x"}]}, "shots.name", [At("shots.0.name", "x")]),
        ({"caption": "a cup"}, "caption", [At("caption", "a cup")]),
        ({"tags": ["a", "b"]}, "tags", [At("tags", ["a", "b"])]),
        ({"score": {"x": 1}}, "score", [At("score", {"x": 1})]),
        ({"images": []}, "images", []),
        ({"images": None}, "images", []),
        ({"images": A}, "image", []),
        ({"images": [A]}, "images.7", []),
        ({"n": 3}, "n.url", []),
    ],
)
def test_what_stands_at_a_path(output, path, found):
    assert at(output, path) == found


def test_files_are_told_from_values():
    assert [one.is_file for one in (At("a", A), At("b", "text"), At("c", 3))] == [True, False, False]
