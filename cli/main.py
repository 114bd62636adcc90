"""The command: one subcommand a file, dispatched here."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from nncomplexity.errors import ComplexityError, UsageError, did_you_mean, quoted
from nncomplexity.version import VERSION

__all__ = ["SUBCOMMANDS", "entry", "main"]

SUBCOMMANDS = ("report", "explain", "formula", "layers", "sweep", "emit", "verify", "synth")
BUG, INTERRUPTED = 70, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with arguments and return its exit code; never a traceback without --debug."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        parsed = _parsed(arguments)
        code: int = parsed.run(parsed)
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except Exception as error:
        if "--debug" in arguments:
            raise
        return _told(error)


def entry() -> None:
    """The console script."""
    sys.exit(main())


def _told(error: Exception) -> int:
    from .notices import print_bug, print_error

    if isinstance(error, ComplexityError):
        print_error(error)
        return error.exit_code
    print_bug(error)
    return BUG


def _silence_stdout() -> None:
    # The reader went away (`| head`); a second flush at exit must not complain about it.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


class _Parser(argparse.ArgumentParser):
    """argparse with the tool's error line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError("E-USAGE", " ".join(message.split()))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser, options = _parser()
    command = next((word for word in arguments if not word.startswith("-")), None)
    if command is not None and arguments[0] == command and command not in SUBCOMMANDS:
        raise UsageError("E-USAGE", f"there is no command '{quoted(command)}'; {did_you_mean(command, SUBCOMMANDS)}")
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0]
        raise UsageError("E-USAGE", f"unknown option '{quoted(name)}'; {_hint(name, options[parsed.command])}")
    return parsed


def _hint(name: str, options: Sequence[str]) -> str:
    hint = did_you_mean(name, options)
    return hint if hint.startswith("did") else "see --help"


def _parser() -> tuple[_Parser, dict[str, tuple[str, ...]]]:
    """The parser, and the options of each subcommand."""
    parser = _Parser(
        prog="nncomplexity",
        description="What a neural network costs in multiplications, bits and adders: as numbers and as formulas.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nncomplexity {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    options: dict[str, tuple[str, ...]] = {}
    for name in SUBCOMMANDS:
        module = import_module(f".{name}", __package__)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
        options[name] = tuple(command._option_string_actions)
    return parser, options
