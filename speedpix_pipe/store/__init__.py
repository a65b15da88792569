"""What is kept between runs: ledger, journal, cache, blobs, uploads, digests, arrivals, and the users' final files.

Everything durable goes through here, and the rules of `docs/durability.md` are kept here: what was paid for is
written down before and after, files appear whole or not at all. What is to be run, sent or shown is decided above.
"""

from speedpix_pipe.store.arrivals import Arrival, Arrivals, ArrivalState, Verdict
from speedpix_pipe.store.blobs import BUDGET_BYTES, Blobs, Pruned
from speedpix_pipe.store.digests import Digests
from speedpix_pipe.store.history import SavedFile, TaskRow
from speedpix_pipe.store.journal import Journal, RunRow
from speedpix_pipe.store.ledger import AlreadyOpenError, Ledger, service_of
from speedpix_pipe.store.outputs import Outputs
from speedpix_pipe.store.published import Published, PublishedKind
from speedpix_pipe.store.repair import RepairReport, repair
from speedpix_pipe.store.store import Store, utc_now
from speedpix_pipe.store.uploads import Uploads

__all__ = [
    "BUDGET_BYTES",
    "AlreadyOpenError",
    "Arrival",
    "ArrivalState",
    "Arrivals",
    "Blobs",
    "Digests",
    "Journal",
    "Ledger",
    "Outputs",
    "Pruned",
    "Published",
    "PublishedKind",
    "RepairReport",
    "RunRow",
    "SavedFile",
    "Store",
    "TaskRow",
    "Uploads",
    "Verdict",
    "repair",
    "service_of",
    "utc_now",
]
