"""QuantLSTMCell, Brevitas' LSTM in QONNX: all its bit widths are inputs."""

from __future__ import annotations

from ..expressions import Size
from ..formats import Format
from ..layers.lstm import LSTM
from ..shapes import Shape, Tensor
from .layouts import flat, rows
from .moved import listed
from .qonnx import DOMAINS, fixed, known_bits
from .rule import Call, Layout, Operator, Result

__all__ = ["OPERATORS"]

# Behind x, h, c, four input weights, four recurrent weights and four biases: triples of scale, zero point and width.
STATEMENTS = (
    "output",
    "cell_state",
    "input_acc",
    "forget_acc",
    "cell_acc",
    "output_acc",
    "input_sigmoid",
    "forget_sigmoid",
    "cell_tanh",
    "output_sigmoid",
    "hidden_state_tanh",
)
FIRST_STATEMENT = 15
ACCUMULATORS = ("input_acc", "forget_acc", "cell_acc", "output_acc")
# Formats of i, f, g, o, c and tanh c, in the order of LSTM.kept.
KEPT = ("input_sigmoid", "forget_sigmoid", "cell_tanh", "output_sigmoid", "cell_state", "hidden_state_tanh")
# A matrix and a bias for every gate, each an input of its own.
LAYOUTS = {
    f"{name}{gate}": Layout(first + place, rows if name != "bias" else flat)
    for name, first in (("weight", 3), ("recurrent", 7), ("bias", 11))
    for place, gate in enumerate((".i", ".f", ".g", ".o"))
}
SIDES = ("narrow", "rounding_mode", "signed")


def quant_lstm_cell(call: Call) -> Result:
    """i, f, o = sigmoid(W x + U h + b); g = tanh(W_g x + U_g h + b_g); c' = f*c + i*g; h' = o*tanh(c').

    Inputs: x [steps, batch, inputs], or batch first; h and c [batch, hidden]; W_i, W_f, W_c, W_o [hidden, inputs];
    U_i, U_f, U_c, U_o [hidden, hidden]; b_i, b_f, b_c, b_o [hidden]; then a scale, a zero point and a width for each of
    eleven tensors. Outputs: all hidden states, and the last h and c.
    Counted as the LSTM of these sizes, gates and states as wide as they are said to be; the widest of the four gates'
    accumulators is declared for all; cifg computes f as 1 - i.
    """
    x = call.input(0)
    first, second, inputs = call.shape(0, 3)
    steps, batch = (second, first) if call.integer("batch_first", 0) else (first, second)
    hidden = _hidden(call, inputs)
    widths = {name: _statement(call, place, name) for place, name in enumerate(STATEMENTS)}
    weight, recurrent = call.input(3), call.input(7)
    work = LSTM(
        inputs=inputs,
        hidden=hidden,
        steps=steps,
        batch=batch,
        bias=call.given(11) is not None,
        coupled=bool(call.integer("cifg", 0)),
        weight=weight.number,
        input=x.number,
        recurrent=recurrent.number,
        activation=widths["output"] or x.number,
        kept=tuple(widths[name] or x.number for name in KEPT),
    )
    outputs = _outputs(x, (first, second, hidden), (batch, hidden), widths)
    declared = [format.width for name in ACCUMULATORS if (format := widths[name]) is not None]
    return Result(
        outputs=outputs[: max(1, len(call.wanted))],
        work=work,
        kind="lstm",
        formats=work.formats,
        layouts=LAYOUTS,
        accumulator=max(declared, default=None),
    )


def _hidden(call: Call, inputs: Size) -> Size:
    hidden, columns = call.shape(3, 2)
    if isinstance(columns, int) and isinstance(inputs, int) and columns != inputs:
        call.refuse("E-LSTM-WEIGHT", f"input weights {listed((hidden, columns))} for {inputs} inputs")
    rows, back = call.shape(7, 2)
    for size in (rows, back):
        if isinstance(size, int) and isinstance(hidden, int) and size != hidden:
            call.refuse("E-LSTM-WEIGHT", f"recurrent weights {listed((rows, back))} for {hidden} hidden units")
    return hidden


def _statement(call: Call, place: int, name: str) -> Format | None:
    return fixed(known_bits(call, FIRST_STATEMENT + 3 * place + 2), bool(call.integer(f"{name}_signed", 1)))


def _outputs(x: Tensor, shape: Shape, state: Shape, widths: dict[str, Format | None]) -> tuple[Tensor, ...]:
    return (
        Tensor(dtype=x.dtype, shape=shape, format=widths["output"]),
        Tensor(dtype=x.dtype, shape=state, format=widths["output"]),
        Tensor(dtype=x.dtype, shape=state, format=widths["cell_state"]),
    )


ATTRIBUTES = " ".join(
    (
        "batch_first reverse_input cifg output_sigmoid_narrow_range",
        *(f"{name}_{side}" for name in STATEMENTS for side in SIDES),
    )
)
OPERATORS = tuple(
    Operator(
        name="QuantLSTMCell",
        rule=quant_lstm_cell,
        inputs=(48, 48),
        outputs=(1, 3),
        attributes=ATTRIBUTES,
        settings=(1, 2, *range(FIRST_STATEMENT, 48)),
        domain=domain,
    )
    for domain in DOMAINS
)
