"""The journal: what happened in each run.

RUN is a run's id, its unique beginning, or by default the latest run. The state folder is SPEEDPIX_STATE_DIR,
else the nearest .speedpix at or above the current folder.
"""

COMMANDS = {
    "list": ("speedpix_pipe.cli.runs.listing", "all runs, the newest first"),
    "show": ("speedpix_pipe.cli.runs.show", "one run: what was done, what failed, what is unknown"),
    "why": ("speedpix_pipe.cli.runs.why", "why a task ran or was reused"),
    "redo": ("speedpix_pipe.cli.runs.redo", "exactly those tasks again, then what follows from them"),
    "cancel": ("speedpix_pipe.cli.runs.cancel", "stop a run for good; predictions under way are left to the next"),
    "prune": ("speedpix_pipe.cli.runs.prune", "free space: old results and the history of old runs"),
    "repair": ("speedpix_pipe.cli.runs.repair", "mend a damaged journal, keeping what was paid for"),
}
