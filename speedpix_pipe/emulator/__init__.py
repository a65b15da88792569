"""A SpeedPix service on this machine: same wire, real pixels, scripted bad days. It shares no code with the SDK."""

from speedpix_pipe.emulator.clock import Clock, SystemClock
from speedpix_pipe.emulator.faults import Fault, FaultKind, Where
from speedpix_pipe.emulator.options import EmulatorOptions, ScriptedWorkflow
from speedpix_pipe.emulator.server import Emulator, serve
from speedpix_pipe.emulator.thread import EmulatorThread
from speedpix_pipe.emulator.workflows.base import Artifact, DefaultImages, Inputs, WorkflowError

__all__ = [
    "Artifact",
    "Clock",
    "DefaultImages",
    "Emulator",
    "EmulatorOptions",
    "EmulatorThread",
    "Fault",
    "FaultKind",
    "Inputs",
    "ScriptedWorkflow",
    "SystemClock",
    "Where",
    "WorkflowError",
    "serve",
]
