"""Storage libraries say nothing of their own: at their most talkative they log signed headers."""

from __future__ import annotations

import logging


def quieten(*names: str) -> None:
    """What the user must know, we say ourselves."""
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
