"""Print the JSON Schema of specs, for editors and for other tools."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 - the shape of a command
    from speedpix_pipe.spec.schema import schema_text

    print(schema_text().rstrip())
    return 0
