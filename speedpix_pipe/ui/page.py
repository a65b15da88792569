"""The page as one text: words, looks and program inside, and a policy that lets it ask nobody but us."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from markupsafe import Markup

from speedpix_pipe.pages import embed, environment, policy, script_of
from speedpix_pipe.words import words_for

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("start.js", "runs.js", "graph.js", "pictures.js", "tasks.js", "task.js", "stream.js")


@cache
def render_page(language: str, *, may_change: bool, can_redo: bool) -> tuple[str, str]:
    """The page and its content policy."""
    style, script = (TEMPLATES / "live.css").read_text("utf-8"), script_of(TEMPLATES, SCRIPTS)
    words = words_for("live", language)
    text = (
        environment(TEMPLATES)
        .get_template("live.html.j2")
        .render(
            language=language,
            words=words,
            style=Markup(style),  # noqa: S704  # our own file
            script=Markup(script),  # noqa: S704  # our own files
            data=Markup(embed({"words": words, "may_change": may_change, "can_redo": can_redo})),  # noqa: S704  # escaped
            may_change=may_change,
        )
    )
    return text, policy(style, script, pictures="'self'", connect="'self'")
