"""Commands: parse, call `app`, print, and turn errors into text and exit codes.

A command is a module with the functions of `base.Command`, named here by string and imported when it is asked for,
so that `--version` and `--help` cost no more than they say.
"""

import sys

# name -> (module, what it does in a line)
COMMANDS = {
    "run": ("speedpix_pipe.cli.run", "carry out a pipeline"),
    "plan": ("speedpix_pipe.cli.plan", "what a run would do, and what it would cost; nothing is sent"),
    "watch": ("speedpix_pipe.cli.watch", "hot folders: process every file that arrives"),
    "validate": ("speedpix_pipe.cli.validate", "check specs; no network, no credentials"),
    "diff": ("speedpix_pipe.cli.diff", "what changed in meaning since a git revision, and what would run again"),
    "test": ("speedpix_pipe.cli.test", "carry out a spec's *.test.yaml cases, offline"),
    "schema": ("speedpix_pipe.cli.schema", "print the JSON Schema of specs, for editors"),
    "runs": ("speedpix_pipe.cli.runs", "the journal: list, show, why, redo, cancel, prune, repair"),
    "report": ("speedpix_pipe.cli.report", "a run as a gallery: one HTML file, inputs beside results"),
    "ui": ("speedpix_pipe.cli.ui", "runs as they happen, in a browser on this machine"),
    "predict": ("speedpix_pipe.cli.predict", "one call of a workflow, for trying it out"),
    "init": ("speedpix_pipe.cli.init", "a working project to start from"),
    "doctor": ("speedpix_pipe.cli.doctor", "credentials, endpoint, clock, disk, limits: what is missing, what to do"),
    "completion": ("speedpix_pipe.cli.completion", "what makes bash, zsh or fish complete commands, steps and keys"),
    "emulator": ("speedpix_pipe.cli.emulator", "the SpeedPix API on this machine, to work without an account"),
}
PROGRAM = "speedpix-pipe"
COMPLETE = "__complete"  # what the shells ask; shown nowhere


def main(argv: list[str] | None = None) -> int:
    """Carry out a command line and give back its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except SystemExit as done:  # argparse after --help
        return done.code if isinstance(done.code, int) else 0
    except BrokenPipeError:
        return _reader_left()
    except (Exception, KeyboardInterrupt) as error:
        from speedpix_pipe.cli.failures import tell

        return tell(error, arguments)
    return code


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    if first in {"--version", "-V"}:
        from speedpix_pipe._version import __version__

        print(f"{PROGRAM} {__version__}")
        return 0
    if first in {"--help", "-h", "help"}:
        print(_overview())
        return 0 if arguments else 2
    if first == COMPLETE:
        from speedpix_pipe.cli.completion.hidden import complete

        return complete(arguments[1:])
    from speedpix_pipe.cli.base import carry_out

    return carry_out(COMMANDS, PROGRAM, arguments)


def _overview() -> str:
    """What `--help` prints."""
    from speedpix_pipe.cli.base import overview

    what = "Runs pipelines of SpeedPix image workflows over files, from a YAML file kept in git."
    more = f"{PROGRAM} COMMAND --help tells the rest; {PROGRAM} --version the version."
    return f"{overview(COMMANDS, PROGRAM, what)}\n\n{more}"


def _reader_left() -> int:
    """Whoever read our output has gone (`| head`): that is no error worth a word."""
    from speedpix_pipe.cli.output import give_up

    give_up()
    return 1
