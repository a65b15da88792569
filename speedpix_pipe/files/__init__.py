"""Files and paths: file values for expressions, patterns, digests, safe names, canonical JSON.

What expressions may ask of a file is `FileValue`; how a pattern finds files is `pattern`; which names a run may
write is `paths`; what bytes are is `content`; how `read()` takes a file is `read`; what a run has read is `reads`.
Keeping, saving and uploading files is left to `store`, `executors` and `steps`.
"""

from speedpix_pipe.files.access import FileAccess, FolderFiles
from speedpix_pipe.files.canonical import canonical_json
from speedpix_pipe.files.content import EXTENSIONS, Sniffed, Studied, image_size, sha256_file, sniff, study_file
from speedpix_pipe.files.paths import (
    address_of,
    collision_key,
    resolve,
    safe_file_name,
    safe_join,
    safe_save_path,
    shown_address,
    shown_path,
)
from speedpix_pipe.files.pattern import find_files, has_magic, pattern_covers
from speedpix_pipe.files.read import READ_LIMIT, read_file
from speedpix_pipe.files.reads import Reads
from speedpix_pipe.files.storage import Entry, ObjectUrl, StorageError, names_object
from speedpix_pipe.files.value import FILE_NAMES, Digests, FileValue, LateDigests

__all__ = [
    "EXTENSIONS",
    "FILE_NAMES",
    "READ_LIMIT",
    "Digests",
    "Entry",
    "FileAccess",
    "FileValue",
    "FolderFiles",
    "LateDigests",
    "ObjectUrl",
    "Reads",
    "Sniffed",
    "StorageError",
    "Studied",
    "address_of",
    "canonical_json",
    "collision_key",
    "find_files",
    "has_magic",
    "image_size",
    "names_object",
    "pattern_covers",
    "read_file",
    "resolve",
    "safe_file_name",
    "safe_join",
    "safe_save_path",
    "sha256_file",
    "shown_address",
    "shown_path",
    "sniff",
    "study_file",
]
