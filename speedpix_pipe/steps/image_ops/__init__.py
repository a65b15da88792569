"""The operations of `image:` steps: one module each, named here by what the spec calls them.

A module is read when its operation is asked for, and imports Pillow when it works, so that a start stays quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedpix_pipe.steps.image_ops.base import Operation

_NAMES = ("resize", "crop", "pad", "convert", "composite", "contact-sheet", "text", "strip")


class _Operations(Mapping[str, "Operation"]):
    def __getitem__(self, name: str) -> Operation:
        if name not in _NAMES:
            raise KeyError(name)
        operation: Operation = import_module(f"{__name__}.{name.replace('-', '_')}")
        return operation

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


OPERATIONS: Mapping[str, Operation] = _Operations()
