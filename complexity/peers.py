"""What other tools say on operators they are known to differ on, measured at the versions named."""

from __future__ import annotations

__all__ = ["PEERS", "peers_of"]

NOTHING = "onnxsim 0.8.1 and qonnx 1.0.0 count 0"
GATES = (
    f"{NOTHING} (qonnx lists it as unsupported)",
    "onnx-tool 1.0.1 has the matrices right, but adds the biases, 32 per sigmoid and 38 per tanh as MACs,"
    " and fails where B or an output is omitted",
    "onnx-opcounter 0.0.4 counts 1 per output element",
)
BODY_ONCE = (
    "onnxsim 0.8.1 counts the body once, not once per iteration",
    "onnx-opcounter 0.0.4 and qonnx 1.0.0 do not see the body",
    "onnx-tool 1.0.1 fails",
)
PEERS: dict[str, tuple[str, ...]] = {
    "LSTM": GATES,
    "GRU": GATES,
    "RNN": (f"on LSTM and GRU, of the same family, {NOTHING}",),
    "ConvTranspose": (
        "onnxsim 0.8.1 is right",
        "onnx-tool 1.0.1 multiplies output elements by the kernel and adds the bias: wrong by the strides'"
        " product and by channels over filters",
        "onnx-opcounter 0.0.4 counts output elements * channels per group * kernel; qonnx 1.0.0 counts 0",
    ),
    "Einsum": (NOTHING, "onnx-tool 1.0.1 fails unless there are exactly two operands and no ellipsis"),
    "If": (
        "onnxsim 0.8.1 adds both branches, of which one runs",
        "qonnx 1.0.0 does not see the branches",
    ),
    "Loop": BODY_ONCE,
    "Scan": BODY_ONCE,
    "Attention": (
        "onnxsim 0.8.1 is right without a cache; with one it uses the length of K, not past + K",
        "qonnx 1.0.0 counts 0",
    ),
    "MatMul": (
        "onnx-tool 1.0.1 refuses a factor of one axis, and takes the larger batch alone where both sides broadcast",
        "onnx-opcounter 0.0.4 multiplies the elements of A by N, which is too little where A broadcasts",
    ),
}


def peers_of(op: str, domain: str) -> tuple[str, ...]:
    """What is known of an operator of the standard, or of the catalogue's layer of that name; empty for nothing."""
    return PEERS.get(op, ()) if domain in ("", "ai.onnx", "nncomplexity") else ()
