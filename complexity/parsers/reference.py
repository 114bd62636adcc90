"""A layer of the catalogue as one node of ONNX, run on real numbers by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..expressions import Size
from ..layers.contraction import Contraction
from ..layers.conv1d import Conv1D
from ..layers.conv2d import Conv2D
from ..layers.convolution import Convolution
from ..layers.dense import Dense
from ..layers.gru import GRU
from ..layers.layer import Layer
from ..layers.lstm import LSTM
from ..layers.recurrent import Recurrent
from ..layers.rnn import RNN
from .numbers import evaluated

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from onnx import NodeProto

    Array = np.ndarray[Any, Any]

__all__ = ["onnx_values"]

OPSET = 14
# The gates in the order in which ONNX stores them.
GATES: Mapping[type[Layer], tuple[str, ...]] = {
    RNN: ("",),
    GRU: (".z", ".r", ".n"),
    LSTM: (".i", ".o", ".f", ".g"),
}
# The evaluator knows no other activation functions.
FUNCTIONS = {RNN: ("tanh",), GRU: ("sigmoid", "tanh"), LSTM: ("sigmoid", "tanh", "tanh")}


def onnx_values(
    layer: Layer, constants: Mapping[str, Array], inputs: Sequence[Array]
) -> tuple[Sequence[Array], str] | None:
    """What ONNX's operator makes of a layer's constants and inputs, step by step, and its name; None without one.

    Shapes: constants flat, by the equations' names; inputs [samples, elements] at each step, states start at 0.
    Raises: ModelError E-CONSTANT where the evaluator fails.
    """
    import onnx

    found = _recurrent(layer, constants, inputs) if isinstance(layer, Recurrent) else _linear(layer, constants, inputs)
    if found is None:
        return None
    values, op = found
    return values, f"onnx {onnx.__version__} {op}"


def _linear(
    layer: Layer, constants: Mapping[str, Array], inputs: Sequence[Array]
) -> tuple[Sequence[Array], str] | None:
    """Gemm, or the window of a Conv, on the inputs of each step."""
    import onnx

    if "weight" not in constants:
        return None
    weight, bias = constants["weight"].reshape(-1), constants.get("bias")
    more = [] if bias is None else [bias.reshape(-1)]
    names = ["x"] * (2 + len(more))
    if isinstance(layer, Dense | Contraction):
        node = onnx.helper.make_node("Gemm", names, ["y"], transB=1)
        return [_run(node, [x, weight.reshape(-1, x.shape[1]), *more]) for x in inputs], "Gemm"
    if isinstance(layer, Convolution | Conv1D | Conv2D):
        node = onnx.helper.make_node("Conv", names, ["y"], group=_whole(layer.groups))
        # Every tap is a channel of a window of one place.
        taps = weight.reshape(_whole(layer.filters), -1, 1)
        return [_run(node, [x[:, :, None], taps, *more])[:, :, 0] for x in inputs], "Conv"
    return None


def _recurrent(
    layer: Recurrent, constants: Mapping[str, Array], inputs: Sequence[Array]
) -> tuple[Sequence[Array], str] | None:
    import numpy as np
    import onnx

    kind = type(layer)
    functions = (layer.function,) if isinstance(layer, RNN) else getattr(layer, "functions", ())
    if kind not in GATES or functions != FUNCTIONS[kind] or getattr(layer, "coupled", False):
        return None
    gates, hidden = GATES[kind], _whole(layer.hidden)

    def stacked(name: str, columns: int) -> Array:
        found = [constants[f"{name}{gate}"].reshape(-1, columns) for gate in gates]
        return np.concatenate(found, axis=0)[None]

    arrays: list[Array | None] = [
        np.stack(inputs),
        stacked("weight", inputs[0].shape[1]),
        stacked("recurrent", hidden),
        _biases(layer, constants, gates) if layer.bias else None,
    ]
    attributes: dict[str, int] = {"hidden_size": hidden}
    if isinstance(layer, GRU):
        attributes["linear_before_reset"] = int(layer.linear_before_reset)
    if isinstance(layer, LSTM) and layer.peepholes:
        peepholes = np.concatenate([constants[f"peephole{gate}"].reshape(-1) for gate in (".i", ".o", ".f")])
        arrays += [None, None, None, peepholes[None]]
    op = kind.__name__
    node = onnx.helper.make_node(op, ["x" if each is not None else "" for each in arrays], ["y"], **attributes)  # type: ignore[arg-type]
    return list(_run(node, arrays)[:, 0]), op


def _biases(layer: Recurrent, constants: Mapping[str, Array], gates: tuple[str, ...]) -> Array:
    """[1, 2 * gates * hidden]: the second vector is 0 but for the candidate's own of a GRU."""
    import numpy as np

    first = [constants[f"bias{gate}"].reshape(-1) for gate in gates]
    second = [
        constants[f"bias{gate}".replace(".n", ".u")].reshape(-1)
        if gate == ".n" and "bias.u" in constants
        else np.zeros(_whole(layer.hidden))
        for gate in gates
    ]
    return np.concatenate([*first, *second])[None]


def _whole(size: Size) -> int:
    assert isinstance(size, int), "a kernel has been made of it"
    return size


def _run(node: NodeProto, arrays: Sequence[Array | None]) -> Array:
    import numpy as np

    # Its sigmoid of a large negative number overflows on the way to 0.
    with np.errstate(over="ignore"):
        return evaluated(node, OPSET, arrays)[0]
