"""Recurrent operators against cells of scalar loops whose numbers count what is done to them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from nncomplexity.accounting import count
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.formats import parse_format
from nncomplexity.operators.rule import Uncounted
from nncomplexity.ops import PRODUCTS, Kind
from nncomplexity.shapes import Tensor
from reference.calls import caller
from reference.calls import tensor as T
from reference.totals import totals

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
EIGHT = parse_format("fixed<8,1>")
call = caller("recurrent")


def run(op, tensors, outputs=3, **attributes):
    return call(op, *tensors, wanted=outputs, **attributes)


def inputs(
    op, time, batch, size, hidden, directions=1, bias=True, peepholes=False, layout=0, lengths=None, format=None
):
    """The input tensors of a call, trailing absent ones cut."""
    gates = GATES[op]
    x = T(*((batch, time, size) if layout else (time, batch, size)), format=format)
    found = [
        x,
        T(directions, gates * hidden, size, constant=True, format=format),
        T(directions, gates * hidden, hidden, constant=True, format=format),
        T(directions, 2 * gates * hidden, constant=True) if bias else None,
        None if lengths is None else T(batch, dtype="int32", value=lengths),
        None,
        None,
        T(directions, 3 * hidden, constant=True) if peepholes else None,
    ]
    while found[-1] is None:
        found.pop()
    return tuple(found)


@dataclass
class Cell:
    """One unit at a time: weights are names, numbers are counted, not valued."""

    size: int
    hidden: int
    bias: bool = True
    peepholes: bool = False
    coupled: bool = False
    after: bool = False
    found: dict[str, int] = field(default_factory=lambda: {"rm": 0, "mac": 0, "add": 0, "act": 0})

    def times(self, mac=False):
        self.found["rm"] += 1
        self.found["mac"] += mac

    def plus(self):
        self.found["add"] += 1

    def dot(self, terms):
        for term in range(terms):
            self.times(mac=True)
            if term:
                self.plus()

    def net(self):
        self.dot(self.size)
        self.dot(self.hidden)
        self.plus()
        if self.bias:
            self.plus()

    def gate(self, peephole=False):
        self.net()
        if peephole and self.peepholes:
            self.times()
            self.plus()
        self.found["act"] += 1

    def rnn(self):
        for _ in range(self.hidden):
            self.gate()

    def lstm(self):
        for _ in range(self.hidden):
            self.gate(peephole=True)  # i
            if self.coupled:
                self.plus()  # 1 - i
            else:
                self.gate(peephole=True)  # f
            self.gate()  # g
            self.gate(peephole=True)  # o
            self.times()  # f c
            self.times()  # i g
            self.plus()
            self.found["act"] += 1  # tanh c
            self.times()  # o tanh c

    def gru(self):
        for _ in range(self.hidden):
            self.gate()  # z
            self.gate()  # r
            if self.after:
                self.dot(self.hidden)
                self.found["add"] += self.bias
                self.times()  # r (U h + b)
                self.dot(self.size)
                self.plus()
                self.found["add"] += self.bias
                self.found["act"] += 1
            else:
                self.times()  # r h
                self.gate()
            self.plus()  # 1 - z
            self.times()
            self.times()
            self.plus()


CELLS = [
    ("RNN", {}, {}),
    ("GRU", {}, {}),
    ("GRU", {"after": True}, {"linear_before_reset": 1}),
    ("LSTM", {}, {}),
    ("LSTM", {"peepholes": True}, {}),
    ("LSTM", {"coupled": True}, {"input_forget": 1}),
    ("LSTM", {"coupled": True, "peepholes": True}, {"input_forget": 1}),
]


@pytest.mark.parametrize(("op", "options", "attributes"), CELLS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("layout", [0, 1])
def test_counts_what_the_cell_does(op, options, attributes, bias, direction, layout):
    time, batch, size, hidden, directions = 3, 2, 5, 4, 2 if direction == "bidirectional" else 1
    cell = Cell(size, hidden, bias=bias, **options)
    for _ in range(directions * batch * time):
        getattr(cell, op.lower())()
    tensors = inputs(op, time, batch, size, hidden, directions, bias, options.get("peepholes", False), layout)
    for convention in ("paper", "exact"):
        result = run(op, tensors, direction=direction, layout=layout, hidden_size=hidden, **attributes)
        assert totals(result, convention) == {**cell.found, "cmp": 0}
    states = (batch, directions, hidden) if layout else (directions, batch, hidden)
    every = (batch, time, directions, hidden) if layout else (time, directions, batch, hidden)
    expected = [every, states, states] if op == "LSTM" else [every, states]
    assert [y.shape for y in result.outputs] == expected


@pytest.mark.parametrize(
    ("op", "sizes", "rm", "bop", "nabs"),
    [
        ("RNN", (1, 1, 1), 2, 160, 256),
        ("RNN", (10, 4, 8), 960, 79440, 143440),
        ("LSTM", (1, 1, 1), 11, 848, 1376),
        ("LSTM", (10, 4, 8), 4080, 334640, 602160),
        ("GRU", (1, 1, 1), 9, 704, 1136),
        ("GRU", (10, 4, 8), 3120, 256720, 460240),
    ],
)
def test_published_forms_hold_through_the_operator(op, sizes, rm, bop, nabs):
    """Real multiplications, bit operations and bit-level additions at 8 bits, as a closed form prints them."""
    time, size, hidden = sizes
    result = run(op, inputs(op, time, 1, size, hidden, format=EIGHT))
    found = count(result.work)

    def bit_operations(op):
        return op.left.bits * op.right.bits if op.kind in PRODUCTS else 0 if op.kind is Kind.LOOKUP else op.result.bits

    def adders(op):
        if op.kind in PRODUCTS:
            return op.right.adders * op.result.bits
        return 0 if op.kind is Kind.LOOKUP else op.result.bits

    assert totals(result)["rm"] == rm
    assert found.total(bit_operations) == bop
    assert found.total(adders) == nabs


def test_known_lengths_replace_the_padded_time():
    whole, one = run("LSTM", inputs("LSTM", 7, 3, 5, 4)), run("LSTM", inputs("LSTM", 1, 1, 5, 4))
    padded = run("LSTM", inputs("LSTM", 7, 3, 5, 4, lengths=(7, 0, 2)))
    unknown = run("LSTM", (*inputs("LSTM", 7, 3, 5, 4), T(3, dtype="int32")))
    assert totals(whole)["rm"] == 21 * totals(one)["rm"] == totals(unknown)["rm"]
    assert totals(padded)["rm"] == 9 * totals(one)["rm"]
    assert padded.outputs[0].shape == (7, 1, 3, 4)


def test_only_what_is_asked_for_is_answered():
    assert len(run("LSTM", inputs("LSTM", 7, 3, 5, 4), outputs=1).outputs) == 1
    assert len(run("LSTM", inputs("LSTM", 7, 3, 5, 4), outputs=2).outputs) == 2


def test_clip_is_two_comparisons_before_every_activation():
    assert totals(run("LSTM", inputs("LSTM", 1, 1, 5, 4), clip=3.0))["cmp"] == 2 * 5 * 4
    assert totals(run("GRU", inputs("GRU", 1, 1, 5, 4), clip=3.0))["cmp"] == 2 * 3 * 4


def test_activations_per_direction():
    tensors = inputs("RNN", 3, 2, 5, 4, directions=2)
    both = totals(run("RNN", tensors, direction="bidirectional", activations=("Relu", "HardSigmoid")))
    plain = totals(run("RNN", tensors, direction="bidirectional"))
    assert both == {"rm": plain["rm"] + 24, "mac": plain["mac"], "add": plain["add"] + 24, "cmp": 24 * 3, "act": 0}
    named = run("RNN", inputs("RNN", 3, 2, 5, 4), activations=("Tanh", "Tanh"))
    assert totals(named) == totals(run("RNN", inputs("RNN", 3, 2, 5, 4)))


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("Relu", {"cmp": 1}),
        ("ThresholdedRelu", {"cmp": 1}),
        ("LeakyRelu", {"cmp": 1, "rm": 1}),
        ("Affine", {"rm": 1, "add": 1}),
        ("ScaledTanh", {"rm": 2, "act": 1}),
        ("HardSigmoid", {"rm": 1, "add": 1, "cmp": 2}),
        ("Elu", {"cmp": 1, "act": 1, "add": 1, "rm": 1}),
        ("Softsign", {"cmp": 1, "add": 1, "act": 1}),
        ("Softplus", {"act": 1}),
        ("Sigmoid", {"act": 1}),
    ],
)
def test_activations_cost_their_definition(name, extra):
    one = inputs("RNN", 1, 1, 5, 1)
    plain, found = totals(run("RNN", one)), totals(run("RNN", one, activations=(name,)))
    assert {key: found[key] - plain[key] + (key == "act") for key in found} == {key: extra.get(key, 0) for key in found}


def test_dynamically_quantized_lstm_has_the_products_of_the_float_one():
    """Weights lie as [directions, inputs, 4 hidden]; X and h are bytes for the products, the gates stay float."""
    scale = T(2)
    tensors = (
        T(3, 2, 5),
        T(2, 5, 16, dtype="int8", constant=True),
        T(2, 4, 16, dtype="int8", constant=True),
        T(2, 32),
        *(None,) * 4,
        *(scale,) * 4,
    )
    result = run("DynamicQuantizeLSTM", tensors, direction="bidirectional", hidden_size=4)
    float_one = run("LSTM", inputs("LSTM", 3, 2, 5, 4, 2), direction="bidirectional")
    assert totals(result) == totals(float_one)
    assert [y.shape for y in result.outputs] == [(3, 2, 2, 4), (2, 2, 4), (2, 2, 4)]
    formats = {(op.role.value, str(op.left), str(op.right)) for op, _ in count(result.work) if op.kind in PRODUCTS}
    assert formats == {
        ("input", "ufixed<8,8>", "fixed<8,8>"),
        ("recurrent", "ufixed<8,8>", "fixed<8,8>"),
        ("gate", "float32", "float32"),
    }


def test_symbolic_is_integer_at_every_size():
    t, b, h = symbol("t"), symbol("b"), symbol("h")
    for op in GATES:
        for values in ({"t": 1, "b": 1, "h": 1}, {"t": 5, "b": 3, "h": 7}, {"t": 2, "b": 8, "h": 4}):
            free = run(op, inputs(op, t, b, 5, h, directions=2), direction="bidirectional")
            concrete = run(op, inputs(op, *list(values.values())[:2], 5, values["h"], 2), direction="bidirectional")
            assert {k: substitute(v, values) for k, v in totals(free).items()} == totals(concrete)
            assert [tuple(substitute(s, values) for s in y.shape) for y in free.outputs] == [
                y.shape for y in concrete.outputs
            ]


def changed(index, tensor):
    tensors = list(inputs("LSTM", 7, 3, 5, 4)) + [None] * 4
    tensors[index] = tensor
    return tuple(tensors)


@pytest.mark.parametrize(
    ("tensors", "attributes", "text"),
    [
        (changed(1, T(1, 12, 5)), {}, "W has shape [1,12,5], expected [1,16,5] [E-RNN-SHAPE]"),
        (changed(1, T(1, 16, 6)), {}, "W has shape [1,16,6], expected [1,16,5] [E-RNN-SHAPE]"),
        (changed(1, T(1, 16, 5)), {"hidden_size": 3}, "W has shape [1,16,5], expected [1,12,5] [E-RNN-SHAPE]"),
        (changed(2, T(2, 16, 4)), {}, "R has shape [2,16,4], expected [1,16,4] [E-RNN-SHAPE]"),
        (changed(3, T(32)), {}, "B has shape [32], expected [1,32] [E-RNN-SHAPE]"),
        (changed(5, T(1, 2, 4)), {}, "initial_h has shape [1,2,4], expected [1,3,4] [E-RNN-SHAPE]"),
        (changed(7, T(1, 16)), {}, "P has shape [1,16], expected [1,12] [E-RNN-SHAPE]"),
        (changed(0, T(7, 3)), {}, "input 0 has rank 2, expected 3 [E-RANK]"),
        (
            changed(4, T(3, dtype="int32", value=(7, 8, 1))),
            {},
            "a sequence length is 8, expected 0 to 7 [E-RNN-LENGTH]",
        ),
        (changed(3, None), {"direction": "bidirectional"}, "W has shape [1,16,5], expected [2,16,5] [E-RNN-SHAPE]"),
        (
            changed(3, None),
            {"direction": "both"},
            "direction is 'both', expected one of forward, reverse, bidirectional [E-RNN-DIRECTION]",
        ),
        (changed(3, None), {"layout": 2}, "layout is 2, expected 0 or 1 [E-RNN-LAYOUT]"),
        (changed(3, None), {"hidden_size": -1}, "hidden_size is -1, expected 1 or more [E-RNN-SHAPE]"),
        (
            changed(3, None),
            {"activations": ("Sigmoid", "Tanh")},
            "2 activation functions are named, expected 3 [E-RNN-ACTIVATION]",
        ),
        (
            changed(3, None),
            {"activations": ("Sigmoid", "Tanh", "Sin")},
            "'sin' is no activation function of a recurrent layer [E-RNN-ACTIVATION]",
        ),
    ],
)
def test_contradictions_are_refused_with_what_was_found(tensors, attributes, text):
    with pytest.raises(ModelError) as caught:
        run("LSTM", tensors, **attributes)
    assert str(caught.value) == text


def test_an_unknown_shape_is_uncounted():
    with pytest.raises(Uncounted, match=r"^the shape of input 1 is unknown$"):
        run("LSTM", changed(1, Tensor(dtype="float32")))
