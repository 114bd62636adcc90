"""Rotary position embedding: pairs of numbers turned by an angle that grows with the position."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..formats import Format
from ..ops import Role
from ..shapes import Tensor
from .heads import agreed, head_count, per_head
from .rule import MICROSOFT, Call, Operator, Result, Steps

__all__ = ["OPERATORS", "rotation"]


def rotation(m: Arithmetic[Signal], pairs: Size, format: Format, angle: Format, *, constant: bool = False) -> None:
    """(x1, x2) -> (cos x1 - sin x2, sin x1 + cos x2): per pair 4 products, 1 subtraction and 1 addition.

    Cosines and sines come from tables; looking them up is data movement.
    """
    x = m.variable(pairs, format)
    table = m.constant(pairs, angle) if constant else m.variable(pairs, angle)
    real = m.multiply(x, table, role=Role.ELEMENTWISE)
    m.subtract(real, m.multiply(x, table, role=Role.ELEMENTWISE), role=Role.ELEMENTWISE)
    imaginary = m.multiply(x, table, role=Role.ELEMENTWISE)
    m.add(imaginary, m.multiply(x, table, role=Role.ELEMENTWISE), role=Role.ELEMENTWISE)


def rotary_embedding(call: Call) -> Result:
    """Y = X with the first rotary_embedding_dim numbers of every head turned in pairs (ai.onnx)."""
    return rotated(call, cosines=1, positions=3)


def rotary_embedding_microsoft(call: Call) -> Result:
    """The com.microsoft twins: positions are input 1; without num_heads the width of the table decides the head size.
    MRotaryEmbedding chooses its angles by three positions per token, which is data movement too.

    Its attribute 'scale' multiplies nothing in the runtime that defines the operator, so nothing is charged for it.
    """
    return rotated(call, cosines=2, positions=1)


def rotated(call: Call, *, cosines: int, positions: int) -> Result:
    """Count the pairs that are turned; what rotary_embedding_dim leaves out is passed on."""
    x, shape = call.input(0), call.shape(0)
    if len(shape) not in (3, 4):
        call.refuse("E-RANK", f"input 0 has rank {len(shape)}, expected 3 or 4")
    cosine, sine = call.shape(cosines), call.shape(cosines + 1)
    if not cosine or not sine:
        call.refuse("E-RANK", "the tables of cosines and sines must not be scalars")
    half = agreed(call, cosine[-1], sine[-1], "the width of the tables of cosines and sines")
    width = call.integer("rotary_embedding_dim", 0)
    heads, head_size = heads_of(call, half, named=bool(width) or cosines == 1)
    turned: Size = width or head_size
    if width and isinstance(head_size, int) and not 0 < width <= head_size:
        call.refuse("E-ROTARY-SIZE", f"rotary_embedding_dim {width} is outside 1..{head_size}, the head size")
    if isinstance(turned, int) and isinstance(half, int) and turned != 2 * half:
        call.refuse("E-ROTARY-SIZE", f"{turned} numbers are turned in pairs, but the tables hold {half} angles")
    vectors = product(shape[:-1]) * (heads if len(shape) == 3 else 1)
    pairs = vectors * half
    table = call.input(cosines)
    position = call.given(positions)
    constant = table.constant and (position is None or position.constant)

    def text(m: Arithmetic[Signal]) -> None:
        rotation(m, pairs, x.number, table.number, constant=constant)

    output = Tensor(dtype=x.dtype, shape=shape)
    return Result(outputs=(output,), work=Steps(text=text), kind="rotary embedding")


def heads_of(call: Call, half: Size, *, named: bool) -> tuple[Size, Size]:
    """Number and size of the heads of input 0; a 4-D input shows them."""
    shape = call.shape(0)
    if len(shape) == 4:
        return shape[1], shape[3]
    if named or call.integer("num_heads", 0):
        heads: Size = head_count(call, "num_heads")
        return heads, per_head(call, shape[2], heads, "the last axis of input 0")
    if half == 0:
        call.refuse("E-ROTARY-SIZE", "the tables of cosines and sines hold no angle")
    return per_head(call, shape[2], 2 * half, "the last axis of input 0"), 2 * half


OPERATORS = (
    Operator(
        name="RotaryEmbedding",
        rule=rotary_embedding,
        inputs=(3, 4),
        attributes="interleaved num_heads rotary_embedding_dim",
        settings=(1, 2, 3),
    ),
    Operator(
        name="RotaryEmbedding",
        rule=rotary_embedding_microsoft,
        inputs=(4, 4),
        attributes="interleaved is_packed_batching num_heads rotary_embedding_dim scale",
        settings=(1, 2, 3),
        domain=MICROSOFT,
    ),
    Operator(
        name="MRotaryEmbedding",
        rule=rotary_embedding_microsoft,
        inputs=(4, 4),
        attributes="interleaved is_packed_batching mrope_layout mrope_section num_heads rotary_embedding_dim scale",
        settings=(1, 2, 3),
        domain=MICROSOFT,
    ),
)
