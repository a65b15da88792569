"""Declarative pipelines of SpeedPix image workflows. `speedpix_pipe.sdk` is the SDK underneath."""

from speedpix_pipe._version import __version__

__all__ = ["__version__"]
