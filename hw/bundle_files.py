"""A bundle as it lies in a directory, edited or not: its files read, its trial made again from its own manifest.

Nothing in it is trusted: the kernel is built anew from the layer that the manifest records, and the numbers in the
files have to fit the ports of that kernel.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nncomplexity.catalogue import Part
from nncomplexity.errors import ComplexityError, ModelError, did_you_mean, quoted

from .building import Kernel, build
from .fixed import Overflow, Rounding
from .layer_record import restored
from .lines import layout, numbers_of, read_words, width_of
from .lookups import ACTIVATIONS
from .package import CONSTANTS, GIVEN, HELD, KERNEL, MADE, MANIFEST, SCHEMA, digest, table_name, tables_of
from .preparation import check_supported
from .styles import STYLES
from .trial import UNROLLED, Trial

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Lying", "read_bundle"]

LARGEST = 1 << 30
MOST_VECTORS, MOST_STEPS = 1_000_000, 100_000
NAME = re.compile(r"\w{1,40}\.(v|hex|json)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """files: name to text. manifest: what it says. trial: the kernel built anew, on the numbers of x.hex and w.hex.
    made: the numbers of y.hex; tables: those of the table files; changed: files that are not as they were emitted."""

    files: Mapping[str, str]
    manifest: Mapping[str, object]
    trial: Trial
    made: Sequence[int]
    tables: Sequence[Sequence[int]]
    changed: tuple[str, ...]


def read_bundle(directory: str | os.PathLike[str]) -> Lying:
    """Read a bundle.

    Raises: ModelError E-BUNDLE-FILE for a file that is missing or no text, E-BUNDLE-MANIFEST, E-BUNDLE-LAYER for what
    the manifest says, E-BUNDLE-WORDS for lines that are no numbers of the ports.
    """
    place = quoted(os.fspath(directory))
    try:
        return _read(Path(directory))
    except ModelError as error:
        raise error.at(place) from None
    except ComplexityError as error:
        # What is a wrong argument elsewhere is wrong input here: it came from a file.
        raise ModelError(error.identifier, error.fact).at(f"{place}: {MANIFEST}") from None


def _read(folder: Path) -> Lying:
    if not folder.is_dir():
        raise ModelError("E-BUNDLE-FILE", "it is no directory; name one that emit wrote")
    manifest = _object(_text(folder, MANIFEST), MANIFEST)
    hashes = _checked(manifest)
    files = {name: _text(folder, name) for name in hashes}
    built_in = _object(files[CONSTANTS], CONSTANTS) if CONSTANTS in files else {}
    kernel = _kernel(manifest, built_in)
    ports = layout(kernel.graph)
    vectors, steps = _size(manifest, "vectors", MOST_VECTORS), _size(manifest, "steps", MOST_STEPS)
    if steps > 1 and not kernel.graph.feeds:
        raise _wrong(f"steps is {steps}, expected 1 for a kernel without a state")
    tables = tables_of(kernel.graph)
    needed = [KERNEL, GIVEN, MADE, *([HELD] if ports.held else []), *map(table_name, range(len(tables)))]
    for name in needed:
        if name not in files:
            raise _wrong(f"files does not name {name}")
    lines = vectors * steps
    given = numbers_of(ports.given, read_words(files[GIVEN], GIVEN, width_of(ports.given), lines))
    held = numbers_of(ports.held, read_words(files[HELD], HELD, width_of(ports.held), 1)) if ports.held else {}
    fixed = {name: values[0] for name, values in held.items()}
    layer = restored(manifest["layer"])
    trial = Trial(
        name=str(manifest["name"]),
        layer=layer,
        style=str(manifest["style"]),
        activation=str(manifest["activation"]),
        kernel=kernel,
        known={**built_in, **{name: fixed[port].tolist() for name, port in kernel.names.items() if port in fixed}},
        built_in=built_in,
        drawn=(),
        ports=fixed,
        moving={name: [values[step::steps] for step in range(steps)] for name, values in given.items()},
    )
    return Lying(
        files=files,
        manifest=manifest,
        trial=trial,
        made=read_words(files[MADE], MADE, width_of(ports.made), lines),
        tables=[
            read_words(files[table_name(number)], table_name(number), table.result.bits, len(table.entries))
            for number, table in enumerate(tables)
        ],
        changed=tuple(name for name, text in files.items() if digest(text) != hashes[name]),
    )


def _text(folder: Path, name: str) -> str:
    try:
        file = folder / name
        if not file.is_file():
            raise _broken(name, "it is missing")
        if file.stat().st_size > LARGEST:
            raise _broken(name, f"it is over {LARGEST} bytes")
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise _broken(name, error.strerror or "it cannot be read") from None
    except UnicodeDecodeError as error:
        raise _broken(name, f"byte {error.start} is no UTF-8") from None


def _object(text: str, name: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _broken(name, f"it is no JSON: {quoted(error)}") from None
    if not isinstance(found, dict):
        raise _broken(name, "it is no JSON object")
    return found


def _checked(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """The hashes of a manifest whose fields are what they should be."""
    if manifest.get("schema") != SCHEMA:
        raise _wrong(f"schema is {quoted(manifest.get('schema'))}, expected {SCHEMA}")
    choices = {
        "style": STYLES,
        "schedule": (UNROLLED,),
        "activation": ACTIVATIONS,
        "rounding": [mode.value for mode in Rounding],
        "overflow": [mode.value for mode in Overflow],
    }
    for name, known in choices.items():
        if manifest.get(name) not in known:
            raise _wrong(f"{name} is {quoted(manifest.get(name))}; {did_you_mean(str(manifest.get(name)), known)}")
    for name, kind, said in (("name", str, "a text"), ("files", dict, "an object"), ("layer", dict, "an object")):
        if not isinstance(manifest.get(name), kind):
            raise _wrong(f"{name} is {quoted(manifest.get(name))}, expected {said}")
    for name, hashed in manifest["files"].items():
        if not NAME.fullmatch(name) or not isinstance(hashed, str) or name == MANIFEST:
            raise _wrong(f"files names '{quoted(name)}', expected names of a bundle, each with a hash")
    found: Mapping[str, str] = manifest["files"]
    return found


def _kernel(manifest: Mapping[str, Any], built_in: Mapping[str, Any]) -> Kernel:
    """The kernel of the layer that a manifest records."""
    if strange := [name for name, values in built_in.items() if not isinstance(values, list)]:
        raise _broken(CONSTANTS, f"'{quoted(strange[0])}' is no list of integers")
    layer = restored(manifest["layer"])
    try:
        check_supported(Part(name=manifest["name"], layer=layer))
        return build(
            layer,
            manifest["style"],
            built_in,
            activation=manifest["activation"],
            rounding=Rounding(manifest["rounding"]),
            overflow=Overflow(manifest["overflow"]),
        )
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Fields that are each of their type, and together no layer that anything but a manifest would make.
        raise _wrong(f"no kernel can be made of its layer: {quoted(error)}") from None


def _size(manifest: Mapping[str, Any], name: str, most: int) -> int:
    value = manifest.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise _wrong(f"{name} is {quoted(value)}, expected an integer from 1 to {most}")
    return value


def _broken(name: str, fact: str) -> ModelError:
    error = ModelError("E-BUNDLE-FILE", f"{fact}; emit the bundle again")
    error.at(name)
    return error


def _wrong(fact: str) -> ModelError:
    error = ModelError("E-BUNDLE-MANIFEST", fact)
    error.at(MANIFEST)
    return error
