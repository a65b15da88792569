"""Problems as text: place, line, caret, hint."""

from __future__ import annotations

from speedpix_pipe.console.base import cell_width
from speedpix_pipe.console.problems import render_error, render_problems
from speedpix_pipe.errors import Problem, Severity, UsageError


def problem(line=1, column=1, *, message="wrong", path="toys.yaml", code="spec.x", **rest) -> Problem:
    return Problem(path, line, column, code, message, **rest)


def caret_cells(text: str) -> tuple[str, str]:
    """The line that is shown and the carets under it, both without their gutter."""
    shown, carets = (line.split("|", 1)[1] for line in text.splitlines()[1:3])
    return shown, carets


def under(text: str) -> str:
    """What stands above the carets, by terminal cells."""
    shown, carets = caret_cells(text)
    first, count = carets.index("^"), carets.count("^")
    cells = [sign for sign in shown for _ in range(cell_width(sign))]
    return "".join(dict.fromkeys(cells[first : first + count]))


def test_a_problem_shows_its_line_a_caret_run_and_a_hint():
    text = render_problems(
        [
            problem(
                12,
                25,
                message='no step "whte"; did you mean "white"?',
                snippet="    for_each: ${{ steps.whte }}",
                width=4,
                hint="steps are: white, looks",
            )
        ]
    )
    assert text == (
        'toys.yaml:12:25: no step "whte"; did you mean "white"?\n'
        "  12 |     for_each: ${{ steps.whte }}\n"
        "     |                         ^^^^\n"
        "     hint: steps are: white, looks"
    )


def test_the_caret_stands_under_wide_signs():
    text = render_problems([problem(1, 5, snippet="提示: 阿里云x", width=3)])
    assert under(text) == "阿里云"
    assert caret_cells(text)[1].count("^") == 6


def test_tabs_are_drawn_as_spaces():
    text = render_problems([problem(1, 3, snippet="\ta\tbc", width=1)])
    assert "\t" not in text
    assert under(text).strip() == ""
    assert under(render_problems([problem(1, 4, snippet="\ta\tbc", width=2)])) == "bc"


def test_combining_marks_take_no_cell():
    assert under(render_problems([problem(1, 3, snippet="e\u0301x", width=1)])) == "x"


def test_a_caret_beyond_the_line_stands_behind_it():
    shown, carets = caret_cells(render_problems([problem(1, 40, snippet="ab:")]))
    assert carets.index("^") == len(shown)


def test_a_long_line_is_cut_around_the_caret():
    text = render_problems([problem(1, 140, snippet="a" * 139 + "BCDE" + "z" * 400, width=4)], width=60)
    assert all(cell_width(line) <= 60 for line in text.splitlines())
    assert under(text) == "BCDE"
    assert caret_cells(text)[0].count("…") == 2


def test_a_caret_run_longer_than_the_screen_keeps_its_beginning():
    text = render_problems([problem(1, 3, snippet="x: " + "阿" * 300, width=301)], width=60)
    assert all(cell_width(line) <= 60 for line in text.splitlines())


def test_escape_sequences_are_made_visible():
    text = render_problems([problem(1, 1, message="bad\x1b[2J", snippet="a\x1b[31m\u202e", path="a\x07.yaml")])
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "a\\x07.yaml:1:1: bad\\x1b[2J" in text


def test_problems_come_in_the_order_of_the_files_and_lines_and_once():
    text = render_problems(
        [
            problem(9, 1, message="nine"),
            problem(2, 1, message="other file", path="sub.yaml"),
            problem(3, 7, message="three"),
            problem(3, 7, message="three"),
            problem(3, 2, message="careful", severity=Severity.WARNING),
        ]
    )
    assert [line for line in text.splitlines() if line] == [
        "toys.yaml:3:2: warning: careful",
        "toys.yaml:3:7: three",
        "toys.yaml:9:1: nine",
        "sub.yaml:2:1: other file",
        "3 errors, 1 warning in 2 files",
    ]


def test_past_a_hundred_only_the_number():
    text = render_problems([problem(number, 1) for number in range(1, 151)])
    assert "toys.yaml:100:1: wrong" in text
    assert "toys.yaml:101:1" not in text
    assert text.endswith("and 50 more\n\n150 errors in toys.yaml")


def test_without_a_width_a_long_message_is_one_line_and_with_one_it_is_broken():
    long = "no such file: " + "a word " * 40 + "under\u00a0one"
    wrong = problem(1, 3, message=long, snippet="x: " + "y" * 400, width=1, hint=long)
    whole = render_problems([wrong]).splitlines()
    assert whole[0] == f"toys.yaml:1:3: {long}".replace("\u00a0", " ")
    assert whole[-1].strip() == f"hint: {long}".replace("\u00a0", " ")
    assert cell_width(whole[1]) <= 100  # of the line only what tells
    assert len(render_error(UsageError(long)).splitlines()) == 1
    assert all(cell_width(line) <= 60 for line in render_problems([wrong], width=60).splitlines())
    assert all(cell_width(line) <= 60 for line in render_error(UsageError(long), width=60).splitlines())


def test_colour_only_when_asked():
    assert "\x1b[31m" in render_problems([problem(snippet="x")], color=True)
    assert "\x1b" not in render_problems([problem(snippet="x")])


def test_other_errors_say_what_to_do():
    assert render_error(UsageError("no such file: a.yaml", hint="see speedpix-pipe init")) == (
        "error: no such file: a.yaml\n  hint: see speedpix-pipe init"
    )


def test_of_warnings_alike_the_first_few_are_shown_and_every_error():
    warnings = [problem(line, 1, code="w", severity=Severity.WARNING) for line in range(1, 10)]
    errors = [problem(line, 1) for line in range(10, 19)]
    text = render_problems([*warnings, *errors, problem(19, 1, code="other", severity=Severity.WARNING)])
    assert text.count("warning: wrong") == 6
    assert text.count(": wrong") == 6 + 9
    assert "toys.yaml:19:1" in text
    assert text.endswith("and 4 more\n\n9 errors, 10 warnings in toys.yaml")
