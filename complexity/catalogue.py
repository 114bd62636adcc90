"""Networks without a model file: layers of the catalogue one after the other, their formats filled in, made rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise

from .accounting import Matrix
from .errors import SpecError, did_you_mean, quoted
from .expressions import Expression, Size, names, product, substitute, symbol
from .formats import Format, check_bits
from .kinds import FORMATS
from .layers.layer import FLOAT32, Layer
from .network import Network as Rows
from .network import Row, Status, Stored
from .ops import Inventory, Kind, Op, Role
from .quantization import Quantization, Said, parse_quantization
from .shapes import Shape

__all__ = ["SUFFIXES", "Network", "Part", "network_of", "symbols"]

DOMAIN = "nncomplexity"
# Files that hold layer specifications.
SUFFIXES = (".toml", ".json")
NOTHING = Quantization()


def symbols(text: str) -> Expression | tuple[Expression, ...]:
    """Sizes left open, by name: `n_h = nc.symbols("n_h")`, `n_h, n_i = nc.symbols("n_h n_i")`.

    Raises SpecError E-SPEC-NAME for a text that holds no names.
    """
    found = tuple(text.replace(",", " ").split())
    if not found or not all(name.isidentifier() for name in found):
        raise SpecError("E-SPEC-NAME", f"symbols: '{quoted(text)}' is not a list of names, expected \"n_h n_i\"")
    made = tuple(symbol(name) for name in found)
    return made if len(made) > 1 else made[0]


# Gates as the equations of the recurrent layers name them.
GATES = {
    "rnn": ("",),
    "lstm": (".i", ".f", ".g", ".o"),
    "gru": (".z", ".r", ".n"),
    # The output nets have rows of their own number.
    "gatel0rd": (".g", ".r"),
}
# Kinds whose one matrix has a row for each output channel.
ROWS = ("dense", "conv1d", "conv2d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer in its place: its name, the declared width of its accumulators, who said its formats.

    widths: bits of its weights, output channel by output channel, where they are said to differ.
    """

    name: str
    layer: Layer
    accumulator: int | None = None
    formats_from: str = ""
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the layer before writes, None before the first; said: from outside, so it is above what a layer says."""

    format: Format | None = None
    said: bool = False


@dataclass(frozen=True)
class Network:
    """Layers in order, each fed by the one before; a mapping names them, else they are called by their kinds.

    quant: formats for what the layers leave unsaid ("w8a8"). accumulators: declared widths by layer name.
    path: what a report calls it. Raises SpecError for what is no layer, QuantizationError for the shorthand.
    """

    layers: Sequence[Layer] | Mapping[str, Layer]
    quant: str = "model"
    _: KW_ONLY
    path: str = "network"
    accumulators: Mapping[str, int] = field(default_factory=dict)
    digest: Callable[[], str] | None = None

    def __post_init__(self) -> None:
        named = self.layers.items() if isinstance(self.layers, Mapping) else [("", each) for each in self.layers]
        if not named:
            raise SpecError("E-SPEC-EMPTY", "a network needs at least one layer")
        for index, (_, layer) in enumerate(named):
            if not isinstance(layer, Layer):
                found = type(layer).__name__
                raise SpecError(
                    "E-SPEC-LAYER", f"layer[{index}]: expected a layer such as nc.Dense(...), found {found}"
                )
        parse_quantization(self.quant)
        known = [part.name for part in self.named]
        for name, width in self.accumulators.items():
            if name not in known:
                fact = f"accumulators: no layer is called '{quoted(name)}'; {did_you_mean(name, known)}"
                raise SpecError("E-SPEC-NAME", fact)
            check_bits(width, f"accumulators: {name}")

    @cached_property
    def named(self) -> tuple[Part, ...]:
        """The layers as given, with their names: kinds by default, repeats numbered."""
        items = self.layers.items() if isinstance(self.layers, Mapping) else [("", each) for each in self.layers]
        taken = {name for name, _ in items if name}
        said = {layer.name for _, layer in items if layer.name}
        parts: list[Part] = []
        for name, layer in items:
            if not name:
                name = _unused(layer.name, taken) if layer.name else _unused(layer.kind, taken | said)
                taken.add(name)
            parts.append(Part(name=name, layer=layer, accumulator=self.accumulators.get(name)))
        return tuple(parts)

    @cached_property
    def free(self) -> tuple[str, ...]:
        """The sizes left open, by name, in order of appearance."""
        found: dict[str, None] = {}
        for part in self.named:
            for value in _sizes(part.layer):
                found.update(dict.fromkeys(sorted(names(value))))
        return tuple(found)

    def bound(self, values: Mapping[str, int]) -> Network:
        """The network with sizes bound by name."""
        if not values:
            return self
        layers = {part.name: _bound(part.layer, values) for part in self.named}
        return replace(self, layers=layers)

    def parts(self, quantization: Quantization = NOTHING) -> Iterator[Part]:
        """The layers with all formats: of `quantization`, else their own, else of `quant`, else by the chain.

        Missing `input` is the previous layer's `activation`; missing `activation`, `key` and `value` are the layer's
        `input`; missing `recurrent` is its `weight`; what is left is float32.
        Raises QuantizationError E-QUANT-CHANNELS for widths of more or fewer channels than the layer has.
        """
        default = parse_quantization(self.quant)
        before = Before()
        for part in self.named:
            said = quantization.said((part.name,))
            if said.widths:
                quantization.check_channels(said, part.name, _channels(part.layer))
            given = _given(part.layer, said, quantization, default, before)
            layer = _filled(part.layer, said, default, given)
            before = Before(format=layer.activation, said=said.activation is not None)
            width = part.accumulator
            if quantization.tables:
                declared = width or default.accumulator
                width = said.accumulator if said.table is not None else said.accumulator or declared
            source = said.source if said.table is not None else _source(part.layer, quantization, default)
            yield replace(part, layer=layer, accumulator=width, formats_from=source, widths=said.widths)

    def accumulator(self, quantization: Quantization = NOTHING) -> int | None:
        """The declared width of every accumulator; None where tables declare them layer by layer."""
        if quantization.tables:
            return None
        return quantization.accumulator or parse_quantization(self.quant).accumulator

    def rows(self, quantization: Quantization = NOTHING) -> Rows:
        """The network as reports read it."""
        parts = tuple(self.parts(quantization))
        said = quantization if _says(quantization) else parse_quantization(self.quant)
        return Rows(
            path=self.path,
            rows=tuple(row_of(part) for part in parts),
            free=self.free,
            quantization=said.text,
            accumulator=self.accumulator(quantization),
            input_bits=quantization.input.width if quantization.asked and quantization.input else None,
            warnings=(*_mismatches(parts), *quantization.unmatched([(part.name,) for part in parts])),
            digest=self.digest,
        )

    def __len__(self) -> int:
        return len(self.layers)


def network_of(source: Network | Layer | Sequence[Layer] | Mapping[str, Layer]) -> Network:
    """A network of whatever holds layers: itself, one layer, several in order, several by name."""
    if isinstance(source, Network):
        return source
    return Network([source], path=source.kind) if isinstance(source, Layer) else Network(source)


def row_of(part: Part) -> Row:
    """The row of a layer whose formats are filled in."""
    layer = part.layer
    given, made = input_shape(layer), output_shape(layer)
    result = layer.activation
    live: Size | None = None
    written: Inventory | None = None
    if made is not None:
        written = Inventory({Op(Kind.STORE, Role.OUTPUT, result, result, result): product(made)})
    if given is not None and made is not None:
        live = product(given) * layer.input.bits + product(made) * result.bits
    return Row(
        name=part.name,
        op=type(layer).__name__,
        domain=DOMAIN,
        status=Status.COUNTED,
        place=part.name,
        path=part.name,
        paths=(part.name,),
        kind=layer.kind,
        inputs=(given,),
        outputs=(made,),
        formats=layer.formats,
        formats_from=part.formats_from,
        work=layer,
        operands=widths_of(part),
        written=written,
        live=live,
        trained=tuple(_trained(part)),
        accumulator=part.accumulator,
        resources=layer.resources(),
    )


def widths_of(part: Part) -> dict[str, Matrix]:
    """The widths of a layer's weights by the names its equations give them; the gates of a cell have the same."""
    if len(set(part.widths)) < 2:
        return {}
    matrix = Matrix.of_widths(part.widths)
    gates = GATES.get(part.layer.kind)
    if gates is None:
        return {"weight": matrix} if part.layer.kind in ROWS else {}
    return {f"{name}{gate}": matrix for gate in gates for name in ("weight", "recurrent")}


def input_shape(layer: Layer) -> Shape | None:
    """What a layer reads in one inference, features last; None where its fields do not say."""
    features = _size(layer, "channels")
    if features is not None:
        spatial = (_size(layer, name) for name in ("length", "height", "width"))
        return (*(each for each in spatial if each is not None), features)
    features = _size(layer, "inputs")
    return None if features is None else (*_leading(layer), features)


def output_shape(layer: Layer) -> Shape | None:
    """What a layer writes in one inference, features last; None where its fields do not say."""
    filters, positions = _size(layer, "filters"), _size(layer, "positions")
    if filters is not None and positions is not None:
        return (positions, filters)
    for name in ("outputs", "units", "hidden"):
        features = _size(layer, name)
        if features is not None:
            directions = _size(layer, "directions") if name == "hidden" else None
            return (*_leading(layer), features if directions is None else features * directions)
    return None


def _size(layer: Layer, name: str) -> Size | None:
    # Layers name equal things equally, so what they read and write follows from their fields.
    value = getattr(layer, name, None)
    return value if isinstance(value, int | Expression) else None


def _leading(layer: Layer) -> Shape:
    steps = _size(layer, "steps")
    return () if steps is None or (isinstance(steps, int) and steps == 1) else (steps,)


def _trained(part: Part) -> Iterator[Stored]:
    layer = part.layer
    for name, elements in layer.parameters().items():
        yield Stored(f"{part.name}/{name}", elements, layer.stored_in(name))


def _mismatches(parts: Sequence[Part]) -> Iterator[str]:
    """Layers whose inputs are neither the features nor all outputs of the layer before."""
    for before, after in pairwise(parts):
        made, given = output_shape(before.layer), input_shape(after.layer)
        if not made or not given:
            continue
        differences = [given[-1] - made[-1], given[-1] - product(made)]
        if all(isinstance(each, int) and each != 0 for each in differences):
            shown = f"{made[-1]}" if len(made) == 1 else f"{made[-1]} per step, {product(made)} in all"
            yield f"'{quoted(after.name)}' takes {given[-1]} inputs, but '{quoted(before.name)}' gives {shown}"


def _given(layer: Layer, said: Said, forced: Quantization, default: Quantization, before: Before) -> Format:
    """The format a layer reads: said of it, else what the layer before writes, else its own."""
    own = _said(layer, "input") if hasattr(layer, "input") else None
    if before.format is not None:
        return said.input or (before.format if before.said else None) or forced.activation or own or before.format
    if forced.asked and forced.input:
        return forced.input
    return (
        said.input
        or forced.input
        or (own if forced.activation is None else None)
        or default.input
        or forced.activation
        or own
        or default.activation
        or FLOAT32
    )


def _filled(layer: Layer, said: Said, default: Quantization, given: Format) -> Layer:
    own = {name: _said(layer, name) for name in _format_fields(layer)}
    weight = said.weight or own.get("weight") or default.weight or FLOAT32
    recurrent = said.recurrent or own.get("recurrent") or weight
    activation = said.activation or own.get("activation") or default.activation or given
    found = {"weight": weight, "input": given, "recurrent": recurrent, "activation": activation}
    found |= {name: said.input or said.activation or own.get(name) or given for name in ("key", "value")}
    changed = {name: found[name] for name in own if getattr(layer, name) is not found[name]}
    return replace(layer, **changed) if changed else layer  # type: ignore[arg-type]


def _channels(layer: Layer) -> Size | None:
    """The output channels of a layer, None where its fields do not say."""
    named = (_size(layer, name) for name in ("filters", "units", "hidden", "reservoir", "outputs"))
    return next((size for size in named if size is not None), None)


def _format_fields(layer: Layer) -> Iterator[str]:
    return (name for name in FORMATS if hasattr(layer, name))


def _said(layer: Layer, name: str) -> Format | None:
    # The default object itself means that nothing was said.
    value: Format = getattr(layer, name)
    return None if value is FLOAT32 else value


def _says(quantization: Quantization) -> bool:
    formats = (quantization.weight, quantization.activation, quantization.input, quantization.recurrent)
    return any((*formats, quantization.accumulator, quantization.tables))


def _source(layer: Layer, forced: Quantization, default: Quantization) -> str:
    if forced.weight or forced.activation or forced.recurrent:
        return forced.general.source
    if any(_said(layer, name) for name in _format_fields(layer)):
        return "layer"
    return f"quant {default.text}" if _says(default) else "default"


def _unused(name: str, taken: set[str]) -> str:
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _sizes(layer: Layer) -> Iterator[Size]:
    for each in fields(layer):
        value = getattr(layer, each.name)
        for size in value if isinstance(value, tuple) else (value,):
            if isinstance(size, Expression):
                yield size


def _bound(layer: Layer, values: Mapping[str, int]) -> Layer:
    def bind(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(bind(each) for each in value)
        return substitute(value, values) if isinstance(value, Expression) else value

    found = {each.name: bind(getattr(layer, each.name)) for each in fields(layer) if each.init}
    changed = {name: value for name, value in found.items() if value is not getattr(layer, name)}
    return replace(layer, **changed) if changed else layer  # type: ignore[arg-type]
