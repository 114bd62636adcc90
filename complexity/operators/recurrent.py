"""Recurrent layers: RNN, GRU, LSTM and the dynamically quantized LSTM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..accounting import Countable, Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size, at_least
from ..formats import Fixed
from ..layers.fused_activation import ACTIVATIONS
from ..layers.gru import GRU
from ..layers.lstm import LSTM
from ..layers.rnn import RNN
from ..shapes import Shape, Tensor
from .layouts import gate, gate_bias, peephole
from .rule import MICROSOFT, Call, Layout, Operator, Result, Steps

__all__ = ["OPERATORS"]

Cell = RNN | GRU | LSTM
DYNAMIC_LSTM = "DynamicQuantizeLSTM"
# The gates in the order in which ONNX stores them.
GATES = {"rnn": ("",), "gru": (".z", ".r", ".n"), "lstm": (".i", ".o", ".f", ".g")}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
# A dynamic quantizer makes unsigned bytes whatever the element type of its input.
DYNAMIC = Fixed(bits=8, integer=8, signed=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of a call, checked. steps: applications of the cell in one direction, over all sequences."""

    time: Size
    batch: Size
    inputs: Size
    hidden: Size
    directions: int
    steps: Size
    batch_first: bool


def rnn(call: Call) -> Result:
    """h' = phi(W x + U h + b). See layers.RNN for what is charged."""
    sizes = _read(call, RNN.gates)
    blank = RNN(empty=True, inputs=1, hidden=1)
    cells = [replace(blank, function=names[0]) for names in _functions(call, ("tanh",), sizes.directions)]
    return _result(call, sizes, cells, states=1)


def gru(call: Call) -> Result:
    """An update gate, a reset gate and a candidate. See layers.GRU for what is charged."""
    sizes = _read(call, GRU.gates)
    blank = GRU(empty=True, inputs=1, hidden=1, linear_before_reset=bool(call.integer("linear_before_reset", 0)))
    functions = _functions(call, ("sigmoid", "tanh"), sizes.directions)
    return _result(call, sizes, [replace(blank, functions=(f, g)) for f, g in functions], states=1)


def lstm(call: Call) -> Result:
    """Three gates, a candidate and a cell state; absent peepholes and biases are not charged. See layers.LSTM."""
    sizes = _read(call, LSTM.gates)
    coupled = bool(call.integer("input_forget", 0))
    blank = LSTM(empty=True, inputs=1, hidden=1, peepholes=call.given(7) is not None, coupled=coupled)
    functions = _functions(call, ("sigmoid", "tanh", "tanh"), sizes.directions)
    return _result(call, sizes, [replace(blank, functions=(f, g, h)) for f, g, h in functions], states=2)


def _result(call: Call, sizes: Sizes, cells: Sequence[Cell], states: int) -> Result:
    """Outputs, and the cells of both directions as one layer where they are alike."""
    filled = [_filled(call, sizes, cell) for cell in cells]
    work: Countable = Steps(text=_in_turn(filled), executions=sizes.steps)
    if all(cell == filled[0] for cell in filled):
        work = replace(filled[0], bidirectional=sizes.directions == 2)
    time, batch, hidden, directions = sizes.time, sizes.batch, sizes.hidden, sizes.directions
    every = (batch, time, directions, hidden) if sizes.batch_first else (time, directions, batch, hidden)
    last = (batch, directions, hidden) if sizes.batch_first else (directions, batch, hidden)
    shapes: tuple[Shape, ...] = (every, *(last for _ in range(states)))
    dtype = call.input(0).dtype
    outputs = tuple(Tensor(dtype=dtype, shape=shape) for shape in shapes[: max(1, len(call.wanted))])
    layouts = _layouts(call, filled[0]) if filled[0].constant else {}
    return Result(outputs=outputs, work=work, kind=filled[0].kind, formats=filled[0].formats, layouts=layouts)


def _layouts(call: Call, cell: Cell) -> dict[str, Layout]:
    """The matrices and biases of every gate, by the names the cell's equations give them."""
    turned, names = call.op == DYNAMIC_LSTM, GATES[cell.kind]
    zeros = (9, 11) if turned else (None, None)
    found: dict[str, Layout] = {}
    for index, name in enumerate(names):
        rows = gate(index, len(names), transposed=turned)
        found[f"weight{name}"] = Layout(1, rows, zero=zeros[0])
        found[f"recurrent{name}"] = Layout(2, rows, zero=zeros[1])
        found[f"bias{name}"] = Layout(3, gate_bias(index, len(names)))
    if isinstance(cell, GRU) and cell.linear_before_reset:
        # The candidate's two biases stay apart.
        found["bias.n"] = Layout(3, gate_bias(2, 3, parts=(0,)))
        found["bias.u"] = Layout(3, gate_bias(2, 3, parts=(1,)))
    if isinstance(cell, LSTM) and cell.peepholes:
        found |= {f"peephole{name}": Layout(7, peephole(index)) for index, name in enumerate((".i", ".o", ".f"))}
    return found


def _in_turn(cells: Sequence[Cell]) -> Callable[[Arithmetic[Signal]], None]:
    def text(m: Arithmetic[Signal]) -> None:
        for cell in cells:
            cell.equations(m)

    return text


def _filled(call: Call, sizes: Sizes, cell: Cell) -> Cell:
    """A cell with the sizes and number formats of the call: gates and state are as wide as the input."""
    x, weight, recurrent = call.input(0), call.input(1), call.input(2)
    bytes = DYNAMIC if call.op == DYNAMIC_LSTM and x.format is None else None
    return replace(
        cell,
        inputs=sizes.inputs,
        hidden=sizes.hidden,
        steps=sizes.steps,
        bias=call.given(3) is not None,
        clip="clip" in call.attributes,
        constant=weight.constant and recurrent.constant,
        weight=weight.number,
        recurrent=recurrent.number,
        input=bytes or x.number,
        activation=call.activation or x.number,
        requantized=bytes,
    )


def _read(call: Call, gates: int) -> Sizes:
    """Sizes from X, W and R; every other input must agree with them."""
    x, weight, recurrent = call.shape(0, 3), call.shape(1, 3), call.shape(2, 3)
    if call.op == DYNAMIC_LSTM:
        weight, recurrent = (weight[0], weight[2], weight[1]), (recurrent[0], recurrent[2], recurrent[1])
    layout, direction = call.integer("layout", 0), call.text("direction", "forward").lower()
    if layout not in (0, 1):
        call.refuse("E-RNN-LAYOUT", f"layout is {layout}, expected 0 or 1")
    if direction not in DIRECTIONS:
        call.refuse("E-RNN-DIRECTION", f"direction is '{quoted(direction)}', expected one of {', '.join(DIRECTIONS)}")
    named = call.integer("hidden_size", 0)
    if named < 0:
        call.refuse("E-RNN-SHAPE", f"hidden_size is {named}, expected 1 or more")
    time, batch = (x[1], x[0]) if layout else (x[0], x[1])
    sizes = Sizes(
        time=time,
        batch=batch,
        inputs=x[2] if isinstance(x[2], int) else weight[2],
        hidden=named or recurrent[2],
        directions=DIRECTIONS[direction],
        steps=_steps(call, time, batch),
        batch_first=bool(layout),
    )
    _check_weights(call, sizes, gates, weight, recurrent)
    return sizes


def _check_weights(call: Call, sizes: Sizes, gates: int, weight: Shape, recurrent: Shape) -> None:
    directions, hidden, batch = sizes.directions, sizes.hidden, sizes.batch
    state = (batch, directions, hidden) if sizes.batch_first else (directions, batch, hidden)
    expected: dict[str, tuple[Shape | None, Shape]] = {
        "W": (weight, (directions, gates * hidden, sizes.inputs)),
        "R": (recurrent, (directions, gates * hidden, hidden)),
        "B": (_shape(call, 3), (directions, 2 * gates * hidden)),
        "sequence_lens": (_shape(call, 4), (batch,)),
        "initial_h": (_shape(call, 5), state),
        "initial_c": (_shape(call, 6), state),
        "P": (_shape(call, 7), (directions, 3 * hidden)),
    }
    for name, (found, wanted) in expected.items():
        if found is None:
            continue
        pairs = zip(found, wanted, strict=False)
        if len(found) != len(wanted) or any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs):
            shown, right = ("[" + ",".join(map(str, shape)) + "]" for shape in (found, wanted))
            call.refuse("E-RNN-SHAPE", f"{name} has shape {shown}, expected {right}")


def _shape(call: Call, index: int) -> Shape | None:
    tensor = call.given(index)
    return None if tensor is None else tensor.shape


def _steps(call: Call, time: Size, batch: Size) -> Size:
    """Steps over all sequences: the sum of their lengths where these are known, else every sequence to the end."""
    lengths = call.sizes(4)
    if lengths is None:
        return time * batch
    for length in lengths:
        if at_least(length, 0) is False or at_least(time, length) is False:
            call.refuse("E-RNN-LENGTH", f"a sequence length is {length}, expected 0 to {time}")
    total: Size = 0
    for length in lengths:
        total = total + length
    return total


def _functions(call: Call, default: tuple[str, ...], directions: int) -> list[tuple[str, ...]]:
    """The activation functions of each direction, in lower case."""
    names = tuple(name.lower() for name in call.texts("activations") or ())
    each = len(default)
    if not names:
        return [default] * directions
    for name in names:
        if name not in ACTIVATIONS:
            call.refuse("E-RNN-ACTIVATION", f"'{quoted(name)}' is no activation function of a recurrent layer")
    # The default of RNN names both directions whatever the direction.
    if len(names) not in (each * directions, each * 2):
        call.refuse("E-RNN-ACTIVATION", f"{len(names)} activation functions are named, expected {each * directions}")
    return [names[each * index : each * (index + 1)] for index in range(directions)]


SHARED = "activation_alpha activation_beta activations clip direction hidden_size"

OPERATORS = (
    Operator(name="RNN", rule=rnn, inputs=(3, 6), outputs=(0, 2), attributes=f"{SHARED} layout", settings=(4, 5)),
    Operator(
        name="GRU",
        rule=gru,
        inputs=(3, 6),
        outputs=(0, 2),
        attributes=f"{SHARED} layout linear_before_reset",
        settings=(4, 5),
    ),
    Operator(
        name="LSTM",
        rule=lstm,
        inputs=(3, 8),
        outputs=(0, 3),
        attributes=f"{SHARED} input_forget layout",
        settings=(4, 5, 6),
    ),
    Operator(
        name=DYNAMIC_LSTM,
        rule=lstm,
        inputs=(12, 12),
        outputs=(0, 3),
        attributes=f"{SHARED} input_forget",
        weights=(1, 2),
        settings=(4, 5, 6, 8, 9, 10, 11),
        domain=MICROSOFT,
    ),
)
