"""The layers of an input that kernels are made of, as `verify` and `emit` are asked for them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from nncomplexity.catalogue import SUFFIXES, Part
from nncomplexity.errors import UsageError, did_you_mean, quoted
from nncomplexity.globs import Globs
from nncomplexity.parsers.quantization_file import read_quantization
from nncomplexity.parsers.spec import read_spec

from .pairs import parse_dims

__all__ = ["MOST", "add_part_options", "check_number", "parts"]

MOST = 1_000_000


def add_part_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which numbers a kernel is made of and run on."""
    add = parser.add_argument
    add("--quant", metavar="SPEC", default="model", help="w8a8, w:pot4,a8 …, or a file of formats by layer")
    add("--dim", action="append", default=[], metavar="NAME=INT", help="bind a named size (repeatable)")
    styles = "mac: real multipliers, the default; shiftadd: shifts and adders, the default for powers of two"
    add("--style", metavar="STYLE", help=styles)
    add("--vectors", type=int, default=1000, metavar="N", help="samples to simulate (default 1000)")
    add("--seed", type=int, default=0, metavar="N", help="where drawn numbers begin (default 0)")


def check_number(arguments: argparse.Namespace, name: str, least: int, most: int) -> None:
    """Refuse an option's number outside its range."""
    value = getattr(arguments, name)
    if not least <= value <= most:
        raise UsageError("E-USAGE", f"--{name} {value} is out of range; choose {least} to {most}")


def parts(arguments: argparse.Namespace) -> Iterator[Part]:
    """The layers that were asked for, their formats filled in."""
    file = arguments.source
    if not file.lower().endswith(SUFFIXES):
        fact = f"'{quoted(file)}' is no layer specification; {arguments.command} takes {' and '.join(SUFFIXES)} files"
        raise UsageError("E-VERIFY-INPUT", fact)
    quantization = read_quantization(arguments.quant)
    network, dims = read_spec(file), parse_dims(arguments.dim)
    for name in dims:
        if name not in network.free:
            raise UsageError("E-BIND-DIM", f"--dim: no size is called '{quoted(name)}'; see {quoted(file)}")
    network = network.bound(dims)
    known = [part.name for part in network.named]
    globs = Globs([arguments.layer])
    if all(globs.first([name]) is None for name in known):
        fact = f"--layer: no layer is called '{quoted(arguments.layer)}'; {did_you_mean(arguments.layer, known)}"
        raise UsageError("E-LAYER-NAME", fact)
    everywhere = network.accumulator(quantization)
    for part in network.parts(quantization):
        if globs.first([part.name]) is not None:
            yield replace(part, accumulator=part.accumulator or everywhere)
