"""A layer made into a kernel: one execution of its equations, its states in registers, run and written as one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nncomplexity.errors import UsageError, quoted
from nncomplexity.layers import layer as layers
from nncomplexity.layers.contraction import Contraction
from nncomplexity.layers.conv1d import Conv1D
from nncomplexity.layers.conv2d import Conv2D
from nncomplexity.layers.convolution import Convolution
from nncomplexity.layers.dense import Dense
from nncomplexity.layers.gru import GRU
from nncomplexity.layers.lstm import LSTM
from nncomplexity.layers.lstm1997 import LSTM1997
from nncomplexity.layers.recurrent import Recurrent
from nncomplexity.layers.rnn import RNN

from .bundles import Bundle, UnsupportedLayer
from .evaluation import evaluate
from .fixed import Overflow, Rounding
from .kernels import Netlist
from .netlist import Graph

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["SUPPORTED", "Kernel", "build"]

# Layers with a kernel, and which of their variables, by order, are states.
SUPPORTED: dict[type[layers.Layer], tuple[int, ...]] = {
    Dense: (),
    Contraction: (),
    Convolution: (),
    Conv1D: (),
    Conv2D: (),
    RNN: (1,),
    GRU: (1,),
    LSTM: (1, 2),
    LSTM1997: (1, 2),
}
TABLED = frozenset({"sigmoid", "tanh", "softplus"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """graph: the netlist of one execution. names: ports by the names the equations give their operands."""

    graph: Graph
    names: Mapping[str, str]

    def run(self, inputs: Mapping[str, Sequence[Array]], fixed: Mapping[str, Array] | None = None) -> list[Array]:
        """Steps one after the other from zero states: the output y0 of every step.

        inputs: port to its integers [samples, elements] at each step; fixed: ports that keep theirs, such as weights.
        """
        import numpy as np

        steps, samples = len(next(iter(inputs.values()))), len(np.atleast_2d(next(iter(inputs.values()))[0]))
        registers = [port for port in self.graph.inputs.values() if port.register]
        state: dict[str, Array] = {port.name: np.zeros((samples, port.elements), np.int64) for port in registers}
        found = []
        for step in range(steps):
            now = {name: values[step] for name, values in inputs.items()}
            result = evaluate(self.graph, {**(fixed or {}), **now, **state})
            state = {name: result[name] for name in state}
            found.append(result["y0"])
        return found


def build(
    layer: layers.Layer,
    style: str = "shiftadd",
    weights: Mapping[str, Sequence[int]] | None = None,
    *,
    rounding: Rounding = Rounding.TRN,
    overflow: Overflow = Overflow.WRAP,
    interpreter: Callable[..., Netlist] = Netlist,
) -> Kernel:
    """The kernel of one execution: a vector, a window, a step. What no verb reads leaves it, as ports y0, y1 …

    weights: known integers by operand name, in index order [outputs, terms]; a bias in units of the sum it joins.
    rounding, overflow: of what is stored between verbs and steps. interpreter: makes the netlist, as Netlist does.
    Raises: UnsupportedLayer for a layer whose equations leave open what a circuit has to know.
    """
    states = SUPPORTED.get(type(layer))
    if states is None:
        known = ", ".join(sorted(each.kind or each.__name__ for each in SUPPORTED))
        raise UnsupportedLayer(f"{layer.kind or type(layer).__name__} has no kernel; there are: {known}")
    _check(layer)
    netlist = interpreter(
        style,
        weights,
        rectifies=isinstance(layer, RNN) and layer.function == "relu",
        states=states,
        rounding=rounding,
        overflow=overflow,
    )
    layer.equations(netlist)
    return finished(netlist, layer, states)


def finished(netlist: Netlist, layer: layers.Layer | None = None, states: Sequence[int] = ()) -> Kernel:
    """The kernel of equations that were run: outputs named, registers fed, ports that nothing reads left out."""
    if netlist.unused:
        raise UsageError(
            "E-KERNEL-WEIGHTS", f"the equations name no constant '{quoted(netlist.unused[0])}'; see the names they give"
        )
    graph, outputs = netlist.graph, list(netlist.unread.values())
    following: list[Bundle] = []
    if states and isinstance(layer, Recurrent):
        following = [netlist.quantised(outputs[-1], layer.activation)]
        # The last thing a cell with two states stores between verbs is the new cell.
        following += netlist.stored[-1:] if len(states) == 2 else []
    for number, bundle in enumerate(outputs):
        graph.output(f"y{number}", bundle.nodes)
    for place, bundle in zip(states, following, strict=True):
        graph.feeds.update(zip(netlist.variables[place].nodes, bundle.nodes, strict=True))
    graph.drop_unread([name for name in graph.inputs if name.startswith("w")])
    return Kernel(graph=graph, names={name: port for name, port in netlist.names.items() if port in graph.inputs})


def _check(layer: layers.Layer) -> None:
    """Refuse what the equations of a supported layer do not say of themselves."""
    if isinstance(layer, Conv1D | Conv2D) and layer.groups != 1:
        raise UnsupportedLayer(f"{layer.kind} of {layer.groups} groups: its window is shared by filters of one group")
    if isinstance(layer, Conv1D) and layer.bias and layer.bias_variant == "P2":
        raise UnsupportedLayer("conv1d with bias variant P2 counts what no kernel does; choose P0 or P1")
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
    return layer.functions if isinstance(layer, LSTM | GRU) else ()
