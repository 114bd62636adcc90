"""A layer made into a kernel: one execution of its equations, its states in registers, run and written as one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nncomplexity.accounting import Countable
from nncomplexity.errors import UsageError, quoted
from nncomplexity.layers import layer as layers
from nncomplexity.layers.attention import Attention
from nncomplexity.layers.contraction import Contraction
from nncomplexity.layers.conv1d import Conv1D
from nncomplexity.layers.conv2d import Conv2D
from nncomplexity.layers.convolution import Convolution
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.echo_state import EchoState
from nncomplexity.layers.echo_state_reduced import EchoStateDEIM, EchoStatePOD
from nncomplexity.layers.gatel0rd import GateL0RD
from nncomplexity.layers.gru import GRU
from nncomplexity.layers.kan import KAN
from nncomplexity.layers.lstm import LSTM
from nncomplexity.layers.lstm1997 import LSTM1997
from nncomplexity.layers.nc_gru import NCGRU
from nncomplexity.layers.organism import Organism
from nncomplexity.layers.recurrent import Recurrent
from nncomplexity.layers.rnn import RNN
from nncomplexity.layers.state_regularized import SRGRU, SRLSTM
from nncomplexity.layers.stpn import STPN
from nncomplexity.works import Work, layer_of

from .bundles import UnsupportedLayer, Weight
from .evaluation import Evaluation
from .fixed import FixedPoint, Overflow, Rounding
from .kernels import Netlist
from .netlist import Graph

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["SUPPORTED", "Kernel", "build"]

# Layers with a kernel.
SUPPORTED: frozenset[type[layers.Layer]] = frozenset(
    {
        Attention,
        Dense,
        Contraction,
        Convolution,
        Conv1D,
        Conv2D,
        EchoState,
        EchoStateDEIM,
        EchoStatePOD,
        GRU,
        GateL0RD,
        KAN,
        LSTM,
        LSTM1997,
        NCGRU,
        Organism,
        RNN,
        SRGRU,
        SRLSTM,
        STPN,
        Work,
    }
)
TABLED = frozenset({"sigmoid", "tanh", "softplus"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """graph: the netlist of one execution. names: ports by the names the equations give their operands.

    weights: the constants that have a name, on ports or built in. tabled: what the table of each look-up sees, in the
    order of the equations. rounding, overflow: of what is stored.
    """

    graph: Graph
    names: Mapping[str, str]
    weights: Mapping[str, Weight] = field(default_factory=dict)
    tabled: Sequence[FixedPoint | None] = ()
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def run(self, inputs: Mapping[str, Sequence[Array]], fixed: Mapping[str, Array] | None = None) -> list[Array]:
        """The output y0 of every step: of all that leaves the kernel the first."""
        return [each["y0"] for each in self.trace(inputs, fixed)]

    def trace(
        self, inputs: Mapping[str, Sequence[Array]], fixed: Mapping[str, Array] | None = None
    ) -> list[dict[str, Array]]:
        """Steps one after the other from zero states: every output of every step.

        inputs: port to its integers [samples, elements] at each step; fixed: ports that keep theirs, such as weights.
        """
        import numpy as np

        steps, samples = len(next(iter(inputs.values()))), len(np.atleast_2d(next(iter(inputs.values()))[0]))
        registers = [port for port in self.graph.inputs.values() if port.register]
        state: dict[str, Array] = {port.name: np.zeros((samples, port.elements), np.int64) for port in registers}
        evaluation, found = Evaluation(self.graph, fixed), []
        for step in range(steps):
            result = evaluation.step({**{name: values[step] for name, values in inputs.items()}, **state})
            state = {name: result[name] for name in state}
            found.append({name: result[name] for name in self.graph.outputs})
        return found


def build(
    work: layers.Layer | Countable,
    style: str = "shiftadd",
    weights: Mapping[str, Sequence[int]] | None = None,
    *,
    activation: str = "piecewise",
    rounding: Rounding = Rounding.TRN,
    overflow: Overflow = Overflow.WRAP,
    interpreter: Callable[..., Netlist] = Netlist,
) -> Kernel:
    """The kernel of one execution: a vector, a window, a step, for one of the directions of a cell.

    What no verb reads leaves it, as ports y0, y1 …, then what the states become, as it is before it is stored.
    work: a layer, or what a node of a file computes. weights: known integers by operand name, in index order [outputs,
    terms]; a bias in units of the sum it joins. activation: how sigmoid and tanh of more than ten bits are computed, in
    "piecewise" straight lines or by a "table" of ten bits; other functions are tables always.
    rounding, overflow: of what is stored between verbs and steps. interpreter: makes the netlist, as Netlist does.
    Raises: UnsupportedLayer for a layer whose equations leave open what a circuit has to know.
    """
    layer = layer_of(work)
    if type(layer) not in SUPPORTED:
        known = ", ".join(sorted(each.kind or each.__name__ for each in SUPPORTED))
        raise UnsupportedLayer(f"{layer.kind or type(layer).__name__} has no kernel; there are: {known}")
    _check(layer)
    netlist = interpreter(
        style,
        weights,
        rectifies=isinstance(layer, RNN) and layer.function == "relu",
        activation=activation,
        rounding=rounding,
        overflow=overflow,
    )
    layer.equations(netlist)
    return finished(netlist)


def finished(netlist: Netlist) -> Kernel:
    """The kernel of equations that were run: outputs named, registers fed, ports that nothing reads left out."""
    if netlist.unused:
        raise UsageError(
            "E-KERNEL-WEIGHTS", f"the equations name no constant '{quoted(netlist.unused[0])}'; see the names they give"
        )
    graph, outputs = netlist.graph, list(netlist.unread.values())
    if not outputs and not netlist.states:
        raise UnsupportedLayer("its equations compute nothing: there is no output")
    for key, (state, format) in netlist.states.items():
        if key not in netlist.kept:
            raise UnsupportedLayer("the equations do not say what a state becomes")
        new = netlist.kept[key]
        outputs.append(new)
        graph.feeds.update(zip(state.nodes, netlist.quantised(new, format).nodes, strict=True))
    for number, bundle in enumerate(outputs):
        graph.output(f"y{number}", bundle.nodes)
    # An input all of whose weights are 0 is still one.
    untouched = {port for _, port in netlist.untouched.values()}
    graph.drop_unread([name for name in graph.inputs if name.startswith("w") or name in untouched])
    names = {name: port for name, port in netlist.names.items() if port in graph.inputs}
    return Kernel(
        graph=graph,
        names=names,
        weights=netlist.weights,
        tabled=netlist.tabled,
        rounding=netlist.rounding,
        overflow=netlist.overflow,
    )


def _check(layer: layers.Layer) -> None:
    """Refuse what the equations of a supported layer do not say of themselves."""
    if isinstance(layer, Work) and not layer.wired:
        raise UnsupportedLayer("the equations of this operator are for counting: they do not say what meets what")
    if isinstance(layer, Conv1D) and layer.bias and layer.bias_variant == "P2":
        raise UnsupportedLayer("conv1d with bias variant P2 counts what no kernel does; choose P0 or P1")
    if isinstance(layer, GateL0RD) and layer.open_rate != 1:
        fact = (
            f"gatel0rd with open_rate {layer.open_rate} counts a mean of what runs; a kernel has every unit, choose 1"
        )
        raise UnsupportedLayer(fact)
    if not isinstance(layer, Recurrent):
        return
    if layer.clip or layer.requantized is not None:
        raise UnsupportedLayer(f"{layer.kind} with limited or requantized operands: the equations do not say by what")
    functions = _functions(layer)
    strange = [each for each in functions if each not in TABLED and not (isinstance(layer, RNN) and each == "relu")]
    if strange:
        raise UnsupportedLayer(
            f"{layer.kind} with {strange[0]}: the equations do not say its constants; choose sigmoid, tanh or softplus"
        )


def _functions(layer: Recurrent) -> tuple[str, ...]:
    if isinstance(layer, RNN):
        return (layer.function,)
    if isinstance(layer, NCGRU) and layer.functions[1] == "relu":
        return layer.functions[:1]
    return layer.functions if isinstance(layer, LSTM | GRU) else ()
