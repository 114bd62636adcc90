"""The layers that a command is asked for: those of a specification, or those that the rows of a model's report are."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from nncomplexity.catalogue import SUFFIXES, Part
from nncomplexity.errors import ComplexityError, UsageError, did_you_mean, quoted
from nncomplexity.globs import Globs
from nncomplexity.network import Row, Status
from nncomplexity.parsers.inputs import Bindings
from nncomplexity.parsers.quantization_file import read_quantization
from nncomplexity.parsers.spec import read_spec
from nncomplexity.provable import Unprovable, Wanted, pieces_of

from .pairs import parse_dims, parse_shapes, parse_values
from .requests import Request, split

__all__ = ["Subject", "add_numbers", "add_source", "check_number", "check_numbers", "place_of", "subjects"]

# Samples, and where drawn numbers may begin.
MOST, SEEDS = 1_000_000, 1 << 63
ROUNDINGS = ("TRN", "RND", "RND_CONV")
OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A layer by the name it is asked for, or the reason why it has no kernel (then `part` is None).

    weights: the file's integers by the equations' names, empty where they are drawn. missing: constants of the file
    that are no integers and are drawn; apart: zero points of weights are taken off outside the kernel; scaled: integers
    mean other numbers than the formats say. row, repeat: the row of a report it is, and how often.
    """

    name: str
    part: Part | None = None
    reason: str = ""
    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    row: Row | None = None
    repeat: int = 1
    apart: bool = False
    scaled: bool = False


def add_source(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """The input, what binds and quantizes its layers, and which numbers their kernels are made of and run on."""
    add = parser.add_argument
    add(
        "source",
        metavar="INPUT",
        nargs=nargs,
        help="an .onnx file, MODEL@QUANT, - for a model on stdin, a .toml or .json spec",
    )
    add("--quant", metavar="SPEC", default="model", help="w8a8, w:pot4,a8 …, or a file of formats by layer")
    add("--dim", action="append", default=[], metavar="NAME=INT", help="bind a named size (repeatable)")
    add("--shape", action="append", default=[], metavar="INPUT=1x3x224", help="fix an input's shape")
    add("--value", action="append", default=[], metavar="INPUT=1,2", help="make an integer input known")
    add("--random-weights", action="store_true", help="draw weights from --seed, leave those of the file unread")


def add_numbers(parser: argparse.ArgumentParser) -> None:
    """How kernels are made, and the numbers they run on."""
    add = parser.add_argument
    styles = "mac: real multipliers, the default; shiftadd: shifts and adders, the default for powers of two; "
    add("--style", metavar="STYLE", help=f"{styles}binary; shared; da: as da4ml shares them")
    long = "of more than ten bits: piecewise, straight lines (default), or table, of ten bits"
    add("--activation", default="piecewise", metavar="FORM", help=f"sigmoid and tanh {long}")
    add("--rounding", default="TRN", metavar="MODE", help=f"of what is stored: {', '.join(ROUNDINGS)} (default TRN)")
    add("--overflow", default="WRAP", metavar="MODE", help=f"of what is stored: {', '.join(OVERFLOWS)} (default WRAP)")
    add("--vectors", type=int, default=1000, metavar="N", help="samples to simulate (default 1000)")
    add("--seed", type=int, default=0, metavar="N", help="where drawn numbers begin (default 0)")


def check_numbers(arguments: argparse.Namespace) -> None:
    """Refuse numbers out of range, and modes there are none of."""
    check_number(arguments, "vectors", 1, MOST)
    check_number(arguments, "seed", 0, SEEDS)
    for name, known in (("rounding", ROUNDINGS), ("overflow", OVERFLOWS)):
        value = getattr(arguments, name)
        if value not in known:
            raise UsageError("E-USAGE", f"--{name} '{quoted(value)}' is unknown; {did_you_mean(value, known)}")


def check_number(arguments: argparse.Namespace, name: str, least: int, most: int) -> None:
    """Refuse an option's number outside its range."""
    value = getattr(arguments, name.replace("-", "_"))
    if not least <= value <= most:
        raise UsageError("E-USAGE", f"--{name} {value} is out of range; choose {least} to {most}")


def place_of(arguments: argparse.Namespace) -> str:
    """The input as error lines call it."""
    return "standard input" if arguments.source == "-" else quoted(split(arguments.source, ())[0])


def subjects(arguments: argparse.Namespace) -> Iterator[Subject]:
    """The layers of the input that `--layer` matches, in order.

    Raises: UsageError E-LAYER-NAME where there are none; what reading the input and its weights raises.
    """
    file, (quant,) = split(arguments.source, (arguments.quant,))
    found = _specified(file, quant, arguments) if file.lower().endswith(SUFFIXES) else _modelled(arguments)
    yield from found


def _specified(file: str, quant: str, arguments: argparse.Namespace) -> Iterator[Subject]:
    if arguments.shape or arguments.value:
        raise UsageError("E-BIND-SPEC", "layers have no inputs to bind with --shape and --value; bind sizes with --dim")
    quantization = read_quantization(quant)
    network, dims = read_spec(file), parse_dims(arguments.dim)
    for name in dims:
        if name not in network.free:
            raise UsageError("E-BIND-DIM", f"--dim: no size is called '{quoted(name)}'; see {quoted(file)}")
    network = network.bound(dims)
    globs = _asked(arguments.layer, [(part.name,) for part in network.named])
    everywhere = network.accumulator(quantization)
    for part in network.parts(quantization):
        if globs.first([part.name]) is not None:
            yield Subject(name=part.name, part=replace(part, accumulator=part.accumulator or everywhere))


def _modelled(arguments: argparse.Namespace) -> Iterator[Subject]:
    request = Request(
        quants=(arguments.quant,),
        convention="exact",
        bindings=Bindings(
            dims=parse_dims(arguments.dim),
            shapes=parse_shapes(arguments.shape),
            values=parse_values(arguments.value),
            weightless=arguments.random_weights,
        ),
    )
    (report,) = request.reports(arguments.source)
    network = report.network
    rows = [row for row in network.rows if row.status is not Status.FREE and not row.alternative]
    globs = _asked(arguments.layer, [(row.path, row.name) for row in rows])
    wanted = Wanted(
        drawn=arguments.random_weights,
        style=getattr(arguments, "style", None),
        most=getattr(arguments, "max_products", None),
        accumulator=network.accumulator,
    )
    for row in rows:
        if globs.first([row.path, row.name]) is None:
            continue
        if row.status is Status.UNCOUNTED:
            yield Subject(name=row.path, reason=f"it is not counted: {row.reason}")
            continue
        try:
            pieces = pieces_of(row, wanted)
        except Unprovable as why:
            yield Subject(name=row.path, reason=str(why))
            continue
        except ComplexityError as error:
            node = f"node '{quoted(row.path)}' ({quoted(row.op, 40)})"
            raise (error if error.where else error.at(node)).at(place_of(arguments)) from None
        for piece in pieces:
            yield Subject(
                name=piece.part.name,
                part=piece.part,
                weights=piece.weights,
                missing=piece.missing,
                row=row,
                repeat=piece.repeat,
                apart=piece.apart,
                scaled=piece.scaled,
            )


def _asked(glob: str, known: list[tuple[str, ...]]) -> Globs:
    """The names that are asked for, at least one of those that are known."""
    globs = Globs([glob])
    if known and not any(globs.first(names) is not None for names in known):
        listed = list(dict.fromkeys(names[0] for names in known))
        raise UsageError("E-LAYER-NAME", f"--layer: no layer is called '{quoted(glob)}'; {did_you_mean(glob, listed)}")
    return globs
