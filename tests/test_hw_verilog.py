"""The text of a kernel: golden, deterministic, of the operators of the netlist, whatever a model is called."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from nncomplexity.formats import Fixed
from nncomplexity.hw.building import Kernel, build, finished
from nncomplexity.hw.declared import declared
from nncomplexity.hw.evaluation import evaluate
from nncomplexity.hw.fixed import FixedPoint, Overflow, Rounding
from nncomplexity.hw.kernels import Netlist
from nncomplexity.hw.netlist import Graph, Port
from nncomplexity.hw.verilog import emit, hexadecimal
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.gru import GRU
from nncomplexity.layers.lstm import LSTM
from nncomplexity.layers.rnn import RNN
from nncomplexity.ops import Kind, Role

NIBBLE = Fixed(bits=4, integer=4)
FORMATS = ("weight", "recurrent", "input", "activation")
GOLDEN = """\
module nc_kernel (
  input wire [7:0] x0,
  output wire [13:0] y0
);
  wire signed [3:0] n0;
  assign n0 = x0[3:0];
  wire signed [3:0] n1;
  assign n1 = x0[7:4];
  wire signed [6:0] n2;
  nc_sub #(.A(6), .B(4), .Y(7)) input_2 (.a({n0, 2'h0}), .b(n0), .y(n2));
  wire signed [6:0] n3;
  nc_sub #(.A(7), .B(5), .Y(7)) input_3 (.a(n2), .b({n1, 1'h0}), .y(n3));
  wire signed [6:0] n4;
  nc_wire #(.A(7), .Y(7)) wire_4 (.a(n3), .y(n4));
  wire signed [6:0] n5;
  nc_neg #(.A(6), .Y(7)) input_5 (.a({n1, 2'h0}), .y(n5));
  wire signed [6:0] n6;
  nc_wire #(.A(7), .Y(7)) wire_6 (.a(n5), .y(n6));
  wire signed [3:0] n7;
  nc_constant #(.Y(4)) constant_7 (.a(4'h1), .y(n7));
  wire signed [3:0] n8;
  nc_constant #(.Y(4)) constant_8 (.a(4'h9), .y(n8));
  wire signed [6:0] n9;
  nc_add #(.A(7), .B(4), .Y(7)) bias_9 (.a(n4), .b(n7), .y(n9));
  wire signed [6:0] n10;
  nc_add #(.A(7), .B(4), .Y(7)) bias_10 (.a(n6), .b(n8), .y(n10));
  assign y0[6:0] = n9;
  assign y0[13:7] = n10;
endmodule
"""


def dense(**fields: Any) -> Kernel:
    layer = Dense(inputs=2, units=2, weight=NIBBLE, input=NIBBLE, **fields)
    return build(layer, "shiftadd", {"weight": [3, -2, 0, -4], "bias": [1, -7]})


def test_a_dense_layer_of_two_by_two() -> None:
    text = emit(dense().graph)
    assert text[text.index("module nc_kernel") :] == GOLDEN
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [
        *("nc_constant", "nc_wire", "nc_add", "nc_sub", "nc_neg", "nc_kernel")
    ]


def test_the_text_is_the_same_again_and_names_no_model() -> None:
    text = emit(dense(name="evil; endmodule").graph)
    assert text == emit(dense().graph)
    assert "evil" not in text
    assert "<<" not in text.replace(">>", "")


def test_a_kernel_has_the_name_that_is_asked_for() -> None:
    assert "\nmodule nc_dense (\n" in emit(dense().graph, "nc_dense")


@pytest.mark.parametrize(
    ("value", "width", "text"), [(-128, 8, "8'h80"), (127, 8, "8'h7f"), (0, 1, "1'h0"), (-1, 5, "5'h1f")]
)
def test_constants_are_bits(value: int, width: int, text: str) -> None:
    assert hexadecimal(value, width) == text


def test_one_instance_for_every_operator() -> None:
    kernel = build(GRU(inputs=2, hidden=3, **dict.fromkeys(FORMATS, NIBBLE)), "mac")
    text = emit(kernel.graph)
    found = Counter(re.findall(r"^  (nc_\w+?)(?:_\d+)? (?:#\(.*?\) )?\w+ \(", text, re.MULTILINE))
    wanted: Counter[str] = Counter()
    names = {
        Kind.ADD: "nc_add",
        Kind.SUBTRACT: "nc_sub",
        Kind.MULTIPLY: "nc_mul",
        Kind.LOOKUP: "nc_table",
    }
    for operator, count in kernel.graph.inventory().items():
        if operator.role is not Role.REQUANTIZATION:
            wanted[names[operator.kind]] += count
    assert {name: found[name] for name in wanted} == wanted
    assert found["nc_register"] == 3
    assert text.count("case (a)") == len(re.findall(r"^module nc_table_\d+", text, re.MULTILINE)) == 2


def packed(values: Any, width: int) -> Any:
    mask = (1 << width) - 1
    words = [sum((int(value) & mask) << (width * place) for place, value in enumerate(row)) for row in values]
    return np.array(words, object)


def witnessed(kernel: Kernel, *, steps: int = 1, samples: int = 30, seed: int = 0) -> Any:
    """Elaborated by an independent tool and run there: the same values, and the census of what is there."""
    pytest.importorskip("pyosys", reason="pyosys elaborates the Verilog")
    from nncomplexity.hw.census import census
    from nncomplexity.hw.elaborate import elaborate

    graph, rng = kernel.graph, np.random.default_rng(seed)
    moving, fixed, words = {}, {}, {}
    for port in (each for each in graph.inputs.values() if not each.register):
        ends = port.low, port.high + 1
        if port.name.startswith("x"):
            moving[port.name] = [rng.integers(*ends, (samples, port.elements)) for _ in range(steps)]
        else:
            fixed[port.name] = np.tile(rng.integers(*ends, port.elements), (samples, 1))
        each = moving.get(port.name, [fixed.get(port.name)] * steps)
        words[port.name] = np.array([packed(values, port.width) for values in each], object)
    design = elaborate(emit(graph), "nc_kernel")
    width = graph.nodes[graph.outputs["y0"][0]].width
    if graph.feeds:
        wanted, found = kernel.run(moving, fixed), design.run_clocked(words, steps)["y0"]
    else:
        wanted = [evaluate(graph, {**fixed, **{name: each[0] for name, each in moving.items()}})["y0"]]
        found = [design.run({name: each[0] for name, each in words.items()}, signed=())["y0"]]
    mask = (1 << width * len(graph.outputs["y0"])) - 1
    for one, other in zip(wanted, found, strict=True):
        assert packed(one, width).tolist() == [int(word) & mask for word in other]
    return census(design)


def agrees(census: Any, graph: Graph) -> None:
    wanted = declared(graph)
    for row in ("additions", "negations", "multiplications", "comparisons", "muxes", "tables", "registers"):
        assert dict(getattr(census, row)) == dict(getattr(wanted, row)), row
    assert not census.control


def test_the_declared_cells_are_those_of_the_inventory() -> None:
    graph = build(LSTM(inputs=2, hidden=3, **dict.fromkeys(FORMATS, NIBBLE)), rounding=Rounding.RND).graph
    cells, operators = declared(graph), graph.inventory()
    kinds = {kind: sum(n for op, n in operators.items() if op.kind is kind) for kind in Kind}
    assert sum(cells.additions.values()) == kinds[Kind.ADD] + kinds[Kind.SUBTRACT]
    assert sum(cells.multiplications.values()) == kinds[Kind.MULTIPLY]
    assert sum(cells.comparisons.values()) == kinds[Kind.COMPARE]
    assert sum(cells.tables.values()) == kinds[Kind.LOOKUP]


@pytest.mark.parametrize("style", ["mac", "shiftadd"])
@pytest.mark.parametrize("seed", range(8))
def test_the_census_of_a_dense_layer_is_its_inventory(seed: int, style: str) -> None:
    rng = np.random.default_rng(seed)
    shape, bits = rng.integers(1, 6, 2).tolist(), int(rng.integers(2, 9))
    weight = Fixed(bits=bits, integer=int(rng.integers(1, bits + 1)))
    x = Fixed(bits=int(rng.integers(1, 9)), integer=1, signed=bool(seed % 2))
    values = rng.integers(weight.interval[0], weight.interval[1] + 1, shape)
    weights = {"weight": values.ravel().tolist(), "bias": rng.integers(-300, 300, shape[0]).tolist()}
    layer = Dense(inputs=shape[1], units=shape[0], weight=weight, input=x)
    for known in (weights, {}):
        kernel = build(layer, style, known)
        agrees(witnessed(kernel, seed=seed), kernel.graph)


@pytest.mark.parametrize(("rounding", "overflow"), [("TRN", "WRAP"), ("RND", "SAT"), ("RND_CONV", "SAT_SYM")])
@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_the_census_of_a_step_is_its_inventory(cell: Any, rounding: str, overflow: str) -> None:
    formats = {
        "weight": Fixed(bits=5, integer=1),
        "recurrent": Fixed(bits=4, integer=1),
        "input": Fixed(bits=6, integer=2),
        "activation": Fixed(bits=6, integer=1),
    }
    functions = {"function": "relu"} if cell is RNN else {}
    layer = cell(inputs=2, hidden=3, **functions, **formats)
    kernel = build(layer, "mac", rounding=Rounding(rounding), overflow=Overflow(overflow))
    agrees(witnessed(kernel, steps=20), kernel.graph)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", Overflow)
def test_quantised_numbers_are_those_of_the_integers(rounding: Rounding, overflow: Overflow, signed: bool) -> None:
    for index, (bits, integer, low, high, fraction) in enumerate(
        [(4, 2, -128, 127, 4), (3, 3, 0, 255, 2), (5, 1, -7, 9, 0), (2, 6, -16, 15, 1), (1, 9, -8, 7, 0)]
    ):
        graph = Graph()
        width = 8 if low == 0 else max(-low - 1, high).bit_length() + 1
        nodes = graph.port(Port("x0", 1, width, low == 0, low, high, fraction))
        format = FixedPoint(bits=bits, integer=integer, signed=signed, rounding=rounding, overflow=overflow)
        graph.output("y0", [graph.quantise(nodes[0], format)])
        found = witnessed(Kernel(graph=graph, names={}), samples=200, seed=index)
        assert dict(found.comparisons) == dict(declared(graph).comparisons)
        assert dict(found.additions) == dict(declared(graph).additions)


def test_the_greatest_of_signed_and_unsigned_numbers() -> None:
    for signed in (True, False):
        netlist = Netlist()
        x = netlist.variable(6, Fixed(bits=5, integer=5, signed=signed))
        netlist.greatest(x, terms=3, outputs=2, role=Role.POOLING)
        kernel = finished(netlist)
        agrees(witnessed(kernel), kernel.graph)
