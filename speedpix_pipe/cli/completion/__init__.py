"""Print what makes a shell complete our commands, options, specs, steps and keys.

bash  echo 'eval "$(speedpix-pipe completion bash)"' >> ~/.bashrc
zsh   echo 'eval "$(speedpix-pipe completion zsh)"' >> ~/.zshrc      (after compinit)
fish  speedpix-pipe completion fish > ~/.config/fish/completions/speedpix-pipe.fish
"""

from __future__ import annotations

import argparse

from speedpix_pipe.cli.completion.shells import SCRIPTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help=f"one of {', '.join(SCRIPTS)}")


def run(args: argparse.Namespace) -> int:
    print(SCRIPTS[args.shell], end="")
    return 0
