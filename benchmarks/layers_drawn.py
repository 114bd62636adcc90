"""Random small layers to calibrate predictions on: kinds, styles, quantizers, sizes, all drawn from a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from nncomplexity.accounting import count
from nncomplexity.arithmetic import Arithmetic
from nncomplexity.catalogue import Network
from nncomplexity.hw.building import finished
from nncomplexity.hw.kernels import Netlist
from nncomplexity.hw.mapping import made_of
from nncomplexity.hw.preparation import prepared
from nncomplexity.hw.verilog import emit
from nncomplexity.layers import layer_class
from nncomplexity.layers.layer import Layer
from nncomplexity.ops import Inventory, Role
from nncomplexity.quantization import parse_quantization

__all__ = ["Case", "Made", "drawn_case", "made"]

V = TypeVar("V")
# The largest layer, in bits of its products, so that one synthesis takes a second or two.
LEAST, MOST = 100, 1000
KINDS = {"dense": 10, "conv1d": 3, "conv2d": 2, "rnn": 2, "rectifier": 1, "gru": 1, "lstm": 1, "maximum": 1}
DRAWN = 71


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A layer in words: its kind, its fields as `name=value` words, formats, style, where its weights begin."""

    seed: int
    kind: str
    fields: str
    quant: str
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A case's kernel as text, its inventory of one execution as the style's counter sees it, and the paper's."""

    verilog: str
    inventory: Inventory
    paper: Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum(Layer):
    """The greatest of several numbers, for several outputs: what comparisons of variables are calibrated on."""

    kind: ClassVar[str] = "maximum"
    terms: int
    outputs: int

    def equations(self, m: Arithmetic[V]) -> None:
        x = m.variable(self.terms * self.outputs, self.input, "input")
        m.greatest(x, terms=self.terms, outputs=self.outputs, role=Role.POOLING)


def drawn_case(seed: int) -> Case:
    """The case of a number."""
    random = np.random.default_rng([DRAWN, seed])
    kinds = [kind for kind, share in KINDS.items() for _ in range(share)]
    while True:
        kind = str(random.choice(kinds))
        family = str(random.choice(["uniform", "uniform", "pot", "apot"]))
        weight, value = int(random.integers(2, 9)), int(random.integers(3, 9))
        style = "shiftadd"
        if family == "uniform":
            quant, style = f"w{weight}a{value}", str(random.choice(["shiftadd", "shiftadd", "mac"]))
        elif family == "pot":
            quant = f"w:pot{max(weight, 3)},a{value}"
        else:
            quant = f"w:apot{max(weight, 4)}x2,a{value}"
        fields, products = _fields(kind, random)
        digits = weight if style == "mac" else {"uniform": weight / 3, "pot": 1, "apot": 2}[family]
        if kind == "maximum" or LEAST < products * value * digits < MOST:
            words = " ".join(f"{name}={number}" for name, number in fields.items())
            return Case(seed=seed, kind=kind, fields=words, quant=quant, style="mac" if kind == "maximum" else style)


def _fields(kind: str, random: np.random.Generator) -> tuple[dict[str, int], int]:
    """Sizes of a layer, and about how many products it has; a table counts for several."""

    def size(least: int, most: int) -> int:
        return int(random.integers(least, most + 1))

    bias = size(0, 1)
    if kind == "dense":
        found = {"inputs": size(2, 8), "units": size(1, 8), "bias": bias}
        return found, found["inputs"] * found["units"]
    if kind == "conv1d":
        found = {"channels": size(1, 4), "filters": size(1, 5), "kernel_size": size(2, 5), "bias": bias}
        return {"length": 8, **found}, found["channels"] * found["filters"] * found["kernel_size"]
    if kind == "conv2d":
        found = {"channels": size(1, 2), "filters": size(1, 4), "kernel_size": size(2, 3), "bias": bias}
        return {"height": 5, "width": 6, **found}, found["channels"] * found["filters"] * found["kernel_size"] ** 2
    if kind == "maximum":
        return {"terms": size(2, 9), "outputs": size(1, 6)}, 0
    gates, tables = {"rnn": (1, 8), "rectifier": (1, 1), "gru": (3, 16), "lstm": (4, 16)}[kind]
    inputs, hidden = size(1, 4), size(1, 6 // gates + 1)
    found = {"inputs": inputs, "hidden": hidden, "bias": bias}
    return found, gates * hidden * (inputs + hidden) + tables * hidden


def made(case: Case) -> Made:
    """Build a case."""
    sizes = {name: int(number) for name, _, number in (word.partition("=") for word in case.fields.split())}
    if "bias" in sizes:
        sizes["bias"] = bool(sizes["bias"])
    if case.kind == "maximum":
        return _maximum(Maximum(**sizes), case)
    settings = {"function": "relu"} if case.kind == "rectifier" else {}
    layer = layer_class("rnn" if case.kind == "rectifier" else case.kind)(**sizes, **settings)
    (part,) = Network([layer]).parts(parse_quantization(case.quant))
    found = prepared(part, style=case.style, vectors=1, seed=case.seed)
    paper = count(part.layer, "paper", once=True)
    return Made(verilog=found.text, inventory=made_of(found), paper=paper)


def _maximum(layer: Maximum, case: Case) -> Made:
    (part,) = Network([layer]).parts(parse_quantization(case.quant))
    netlist = Netlist("mac")
    part.layer.equations(netlist)
    text = emit(finished(netlist).graph)
    return Made(verilog=text, inventory=count(part.layer, "exact"), paper=count(part.layer, "paper"))
