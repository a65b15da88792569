"""Pixel work that dies on request: what a decoder bug or the kernel's memory killer looks like."""

import os
import signal

from speedpix_pipe.executors import worker


def perform(function, arguments):
    if function == "verify":
        os.kill(os.getpid(), signal.SIGKILL)
    return worker.perform(function, arguments)
