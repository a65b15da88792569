"""Threads for what waits for a store."""

from __future__ import annotations

from speedpix_pipe.files.threads import Threads

in_thread = Threads(16, "speedpix-objects").run  # so many requests under way at once
