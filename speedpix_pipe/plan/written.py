"""Templates back as the text that they were written as: for people, and for the resolved spec."""

from __future__ import annotations

from speedpix_pipe.model import Expression, FileText, Json, ListOf, Literal, MapOf, Template, Text


def template_text(template: Template) -> Json:
    """A template as it is written, without its places."""
    match template:
        case Expression():
            return f"${{{{ {template.source.strip()} }}}}"
        case Text():
            return "".join(p if isinstance(p, str) else str(template_text(p)) for p in template.parts)
        case Literal():
            return template.value
        case FileText():
            return template_text(template.value)
        case ListOf():
            return [template_text(item) for item in template.items]
        case MapOf():
            return {entry.name: template_text(entry.value) for entry in template.entries}
