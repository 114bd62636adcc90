"""The command: one subcommand a file, dispatched here."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from nncomplexity.errors import ComplexityError
from nncomplexity.version import VERSION

__all__ = ["SUBCOMMANDS", "entry", "main"]

SUBCOMMANDS = ("report",)
BUG, INTERRUPTED = 70, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with arguments and return its exit code; never a traceback without --debug."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        parsed = _parser(arguments).parse_args(arguments)
        code: int = parsed.run(parsed)
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`); a second flush at exit must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ComplexityError as error:
        if debug:
            raise
        print(f"nncomplexity: error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        print(f"nncomplexity: error: internal error ({type(error).__name__}); rerun with --debug [E-BUG]", file=sys.stderr)
        return BUG


def entry() -> None:
    """The console script."""
    sys.exit(main())


class _Parser(argparse.ArgumentParser):
    """argparse with the tool's error line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        line = " ".join(message.split())
        print(f"nncomplexity: error: {line[:250]} [E-USAGE]", file=sys.stderr)
        raise SystemExit(2)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nncomplexity",
        description="What a neural network costs in multiplications, bits and adders: as numbers and as formulas.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nncomplexity {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name in SUBCOMMANDS:
        module = import_module(f".{name}", __package__)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
