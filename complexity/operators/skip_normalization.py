"""Layer normalisation with what transformers fuse into it: a residual sum, a bias, the embedding look-ups."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..ops import Role
from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .normalization import Normalized
from .rule import MICROSOFT, Call, Operator, Result, Steps, operand

__all__ = ["OPERATORS"]


def last_axis(call: Call, shape: Shape) -> tuple[Size, Size]:
    """Rows and width of a normalisation over the last axis."""
    if not shape:
        call.refuse("E-RANK", "input 0 has rank 0, expected 1 or more")
    return product(shape[:-1]), shape[-1]


def fits(call: Call, index: int, width: Size, what: str) -> bool:
    """Whether a vector of the normalised width is there; refuses another width."""
    tensor = call.given(index)
    if tensor is None:
        return False
    if tensor.shape is not None and isinstance(width, int) and isinstance(tensor.size, int) and tensor.size != width:
        call.refuse("E-NORMALIZATION-SIZE", f"{what} has {tensor.size} elements, expected {width}")
    return True


def skip_layer_normalization(call: Call) -> Result:
    """LayerNormalization(input + skip + bias)."""
    return skipped(call, mean=True, bias=4)


def skip_simplified_layer_normalization(call: Call) -> Result:
    """RMSNormalization(input + skip + bias)."""
    return skipped(call, mean=False, bias=3)


def skipped(call: Call, *, mean: bool, bias: int) -> Result:
    """One addition per element for the skip, one for a bias, then the normalisation over the last axis."""
    x, shape, skip = call.input(0), call.shape(0), call.shape(1)
    try:
        if len(skip) > len(shape) or len(broadcast(shape, skip)) != len(shape):
            call.refuse("E-RANK", f"skip has rank {len(skip)}, expected at most {len(shape)}")
    except ShapeConflict as conflict:
        call.refuse("E-NORMALIZATION-SIZE", f"input and skip differ: {conflict}")
    rows, width = last_axis(call, shape)
    fits(call, 2, width, "gamma")
    shifted = mean and fits(call, 3, width, "beta")
    biased = fits(call, bias, width, "bias")

    def text(m: Arithmetic[Signal]) -> None:
        total = m.add(operand(m, x, rows * width), operand(m, call.input(1), rows * width), role=Role.ELEMENTWISE)
        if biased:
            m.add(m.requantize(total, x.number), operand(m, call.input(bias), rows * width), role=Role.BIAS)
        Normalized(rows=rows, terms=width, format=x.number, centred=mean, scale=True, bias=shifted).equations(m)

    statistics = Tensor(dtype="float32", shape=(*shape[:-1], 1))
    whole = Tensor(dtype=x.dtype, shape=shape)
    outputs = (whole, statistics, statistics, whole)
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=Steps(text=text), kind="normalization")


def simplified_layer_normalization(call: Call) -> Result:
    """RMSNormalization over the axes from `axis` on; the runtime keeps it in the standard's own domain."""
    x, shape = call.input(0), call.shape(0)
    axis = call.axis(call.integer("axis", -1), len(shape))
    rows, width = product(shape[:axis]), product(shape[axis:])
    fits(call, 1, width, "scale")

    def text(m: Arithmetic[Signal]) -> None:
        Normalized(rows=rows, terms=width, format=x.number, centred=False, scale=True).equations(m)

    kept = (*shape[:axis], *(1 for _ in shape[axis:]))
    outputs = (Tensor(dtype=call.input(1).dtype, shape=shape), Tensor(dtype="float32", shape=kept))
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=Steps(text=text), kind="normalization")


def embed_layer_normalization(call: Call) -> Result:
    """LayerNormalization(word + position + segment embedding)."""
    return embedded(call, dtype=call.input(2).dtype)


def quantized_embed_layer_normalization(call: Call) -> Result:
    """The same with tables of 8-bit integers, which are read as numbers of the scales' type."""
    return embedded(call, dtype=call.input(8).dtype)


def embedded(call: Call, *, dtype: str | None) -> Result:
    """Look-ups are data movement; one addition per element joins the positions, one the segments if there are any.

    A mask is summed: sequence length - 1 additions per sequence give mask_index.
    """
    batch, sequence = call.shape(0, 2)
    width = call.shape(2, 2)[1]
    if isinstance(width, int) and isinstance(call.shape(3, 2)[1], int) and call.shape(3)[1] != width:
        call.refuse("E-NORMALIZATION-SIZE", f"position embeddings have {call.shape(3)[1]} columns, expected {width}")
    fits(call, 5, width, "gamma")
    fits(call, 6, width, "beta")
    rows, mask = batch * sequence, call.given(7)
    number = Tensor(dtype=dtype, format=call.input(2).format).number

    def text(m: Arithmetic[Signal]) -> None:
        words = m.variable(rows * width, number)
        for table in (3, 4):
            if call.given(table) is not None:
                words = m.add(m.requantize(words, number), m.variable(rows * width, number), role=Role.ELEMENTWISE)
        Normalized(rows=rows, terms=width, format=number, scale=True, bias=True).equations(m)
        if mask is not None:
            m.sum(m.variable(rows, mask.number), terms=sequence, outputs=batch, role=Role.REDUCTION)

    whole = Tensor(dtype=dtype, shape=(batch, sequence, width))
    outputs = (whole, Tensor(dtype="int32", shape=(batch,)), whole)
    return Result(outputs=outputs[: max(1, len(call.wanted))], work=Steps(text=text), kind="normalization")


def group_norm(call: Call) -> Result:
    """Groups of channels normalised per sample, then SiLU where `activation` is 1: one sigmoid and one product each."""
    return grouped(call, ())


def skip_group_norm(call: Call) -> Result:
    """GroupNorm(X + skip + bias)."""
    return grouped(call, (3, 4))


def grouped(call: Call, added: tuple[int, ...]) -> Result:
    """One addition per element for every input of `added` that is there, then the normalisation."""
    x, shape, groups = call.input(0), call.shape(0, 4), call.integer("groups")
    channels = shape[3] if call.integer("channels_last", 1) else shape[1]
    if groups < 1 or (isinstance(channels, int) and channels % groups):
        call.refuse("E-NORMALIZATION-GROUPS", f"{channels} channels do not divide into {groups} groups")
    for index, what in ((1, "gamma"), (2, "beta")):
        fits(call, index, channels, what)
    activation, elements = call.integer("activation", 0), product(shape)
    joined = [tensor for index in added if (tensor := call.given(index)) is not None]

    def text(m: Arithmetic[Signal]) -> None:
        total = operand(m, x, elements)
        for tensor in joined:
            total = m.requantize(m.add(total, operand(m, tensor, elements), role=Role.ELEMENTWISE), x.number)
        rows = shape[0] * groups
        terms = product(shape[1:]) // groups
        Normalized(rows=rows, terms=terms, format=x.number, scale=True, bias=True).equations(m)
        if activation:
            m.multiply(total, m.lookup(total, "sigmoid"), role=Role.ACTIVATION)

    whole = Tensor(dtype=x.dtype, shape=shape)
    return Result(outputs=(whole, whole)[: max(1, len(call.wanted))], work=Steps(text=text), kind="normalization")


GROUPED = "activation channels_last epsilon groups"

OPERATORS = (
    Operator(
        name="SkipLayerNormalization",
        rule=skip_layer_normalization,
        inputs=(3, 5),
        outputs=(1, 4),
        attributes="epsilon",
        domain=MICROSOFT,
    ),
    Operator(
        name="SkipSimplifiedLayerNormalization",
        rule=skip_simplified_layer_normalization,
        inputs=(3, 4),
        outputs=(1, 4),
        attributes="epsilon",
        domain=MICROSOFT,
    ),
    Operator(
        name="SimplifiedLayerNormalization",
        rule=simplified_layer_normalization,
        inputs=(2, 2),
        outputs=(1, 2),
        attributes="axis epsilon stash_type",
    ),
    Operator(
        name="EmbedLayerNormalization",
        rule=embed_layer_normalization,
        inputs=(7, 9),
        outputs=(1, 3),
        attributes="epsilon mask_index_type",
        settings=(0, 1, 7, 8),
        domain=MICROSOFT,
    ),
    Operator(
        name="QEmbedLayerNormalization",
        rule=quantized_embed_layer_normalization,
        inputs=(18, 18),
        outputs=(2, 2),
        attributes="epsilon",
        weights=(2, 3, 4, 5, 6),
        settings=(0, 1, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17),
        domain=MICROSOFT,
    ),
    Operator(
        name="GroupNorm",
        rule=group_norm,
        inputs=(3, 3),
        attributes=GROUPED,
        domain=MICROSOFT,
    ),
    Operator(
        name="SkipGroupNorm",
        rule=skip_group_norm,
        inputs=(4, 5),
        outputs=(1, 2),
        attributes=GROUPED,
        domain=MICROSOFT,
    ),
)
