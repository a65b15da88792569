"""The validator of JSON Schemas, imported with what it imports itself.

It is written in Rust, and dies with a panic if Ctrl-C comes while it imports `decimal`. Here that is Python's to do.
"""

import decimal  # noqa: F401

import jsonschema_rs

__all__ = ["jsonschema_rs"]
