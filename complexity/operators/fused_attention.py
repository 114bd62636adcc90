"""Attention operators of com.microsoft that project their input by one merged matrix: plain, quantized, packed."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..formats import Accumulation, Format, format_of_dtype
from ..layers.attention import Attention
from ..layers.contraction import Contraction
from ..ops import Role
from ..shapes import Shape, Tensor
from .heads import agreed, head_count, per_head, scaling_of
from .layouts import columns, flat
from .linear import contraction_of
from .normalization import Normalized
from .rotary_embedding import rotation
from .rule import MICROSOFT, Call, Layout, Operator, Result

__all__ = [
    "OPERATORS",
    "PROJECTED",
    "Fused",
    "Slots",
    "checked_length",
    "given",
    "used_length",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Which input plays which part in one of the operators; -1 where it has none."""

    mask: int = -1
    position_bias: int = -1
    bias: int = -1
    past: int = -1
    past_length: int = -1
    offsets: int = -1
    weight_zero: int = -1

    def additions(self, call: Call) -> int:
        """Additions per score: one for the mask (padding and causality are one), one for a position bias."""
        causal = call.integer("unidirectional", 0) != 0
        return int(given(call, self.mask) or causal) + int(given(call, self.position_bias))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """Attention and what the operator does to its operands before: projection, bias, normalisation, rotation."""

    attention: Attention
    projection: Contraction | None = None
    biased: Size = 0
    bias_format: Format = field(default_factory=lambda: format_of_dtype("float32"))
    head_norm: Normalized | None = None
    pairs: Size = 0

    @property
    def executions(self) -> Size:
        return 1

    def equations(self, m: Arithmetic[Signal]) -> None:
        """All stages once."""
        number = self.attention.input
        if self.projection is not None:
            self.projection.equations(m)
            total = Accumulation(self.projection.terms, self.projection.input, self.projection.weight)
            if self.biased != 0:
                bias = m.constant(self.biased, self.bias_format, "bias")
                m.add(m.partial(self.biased, total, "weight"), bias, role=Role.BIAS)
        elif self.biased != 0:
            bias = m.constant(self.biased, self.bias_format)
            m.add(m.variable(self.biased, number), bias, role=Role.BIAS)
        if self.head_norm is not None:
            self.head_norm.equations(m)
        if self.pairs != 0:
            rotation(m, self.pairs, number, number)
        self.attention.equations(m)


def given(call: Call, index: int) -> bool:
    """Whether an input of this number exists and is there."""
    return index >= 0 and call.given(index) is not None


def projected_sizes(call: Call, heads: int, columns: Size) -> tuple[Size, Size]:
    """Head sizes of queries and keys, and of values, from the columns of the merged projection."""
    sizes = call.integers("qkv_hidden_sizes")
    if sizes is None:
        key_size = per_head(call, columns, 3 * heads, "the merged projection")
        return key_size, key_size
    if len(sizes) != 3 or sizes[0] != sizes[1] or min(sizes) < 1:
        call.refuse("E-ATTENTION-SIZE", f"qkv_hidden_sizes is {list(sizes)[:8]}, expected [q, q, v] of 1 or more")
    agreed(call, sum(sizes), columns, "the columns of the merged projection")
    return per_head(call, sizes[0], heads, "qkv_hidden_sizes"), per_head(call, sizes[2], heads, "qkv_hidden_sizes")


def past_positions(call: Call, slots: Slots, heads: int, key_size: Size) -> tuple[Size, Shape | None]:
    """Cached positions, and the shape of the cache where it is a buffer shared by past and present."""
    if not given(call, slots.past):
        return 0, None
    shape = call.shape(slots.past, 5)
    agreed(call, shape[2], heads, "the heads of the cache")
    agreed(call, shape[4], key_size, "the head size of the cache")
    if not call.integer("past_present_share_buffer", 0):
        return shape[3], None
    return used_length(call, slots.past_length), shape


def used_length(call: Call, index: int) -> Size:
    """The filled length of a shared buffer: its value where known, else a size of its own."""
    sizes = call.sizes(index) if index >= 0 else None
    return checked_length(call, sizes[0]) if sizes else call.symbol("past_sequence_length")


def checked_length(call: Call, length: Size) -> Size:
    """A length that an input names: not negative."""
    if isinstance(length, int) and length < 0:
        call.refuse("E-ATTENTION-LENGTH", f"a sequence length of {length} was found, expected 0 or more")
    return length


def self_attention(call: Call, slots: Slots) -> Result:
    """softmax(scale Q K^T + mask) V of Q, K, V = x W + b, projected by one merged matrix.

    The scale is one product per score. With do_rotary Q and K are turned; the angles are constants of the kernel.
    """
    packed, shape = slots.offsets >= 0, call.shape(0, 2 if slots.offsets >= 0 else 3)
    inputs, merged = call.shape(1, 2)
    agreed(call, shape[-1], inputs, "the input size of the projection")
    heads, tokens = head_count(call, "num_heads"), product(shape[:-1])
    key_size, value_size = projected_sizes(call, heads, merged)
    batch, queries = call.shape(slots.offsets, 2) if packed else (shape[0], shape[1])
    past, buffer = past_positions(call, slots, heads, key_size)
    plain = computed(call, slots)
    scores = Attention(
        batch=batch,
        heads=heads,
        queries=queries,
        keys=past + queries,
        key_size=key_size,
        value_size=value_size,
        scaling=scaling_of(call, "scores", key_size, zero_is_default=True),
        biases=slots.additions(call),
        input=plain.number,
        key=plain.number,
        value=plain.number,
        activation=plain.number,
    )
    work = Fused(
        attention=scores,
        projection=contraction_of(call.input(0), call.input(1), inputs, tokens * merged),
        biased=tokens * merged if given(call, slots.bias) else 0,
        bias_format=call.input(1).number,
        pairs=2 * tokens * heads * turned_pairs(call, key_size),
    )
    present = buffer or (2, batch, heads, past + queries, key_size)
    output = Tensor(dtype=plain.dtype, shape=(*shape[:-1], heads * value_size))
    outputs = (output, Tensor(dtype=plain.dtype, shape=present))[: max(1, len(call.wanted))]
    layouts = _layouts(slots) if call.input(1).constant else {}
    return Result(outputs=outputs, work=work, kind="attention", formats=scores.formats, layouts=layouts)


def _layouts(slots: Slots) -> dict[str, Layout]:
    """The merged matrix, [inputs, columns], and its bias."""
    zero = slots.weight_zero if slots.weight_zero >= 0 else None
    return {"weight": Layout(1, columns, zero=zero, axis=-1), "bias": Layout(slots.bias, flat)}


def turned_pairs(call: Call, key_size: Size) -> Size:
    """Pairs of numbers that do_rotary turns in one head."""
    width = call.integer("rotary_embedding_dim", 0)
    if width < 0 or (isinstance(key_size, int) and width > key_size):
        call.refuse("E-ROTARY-SIZE", f"rotary_embedding_dim {width} is outside 0..{key_size}, the head size")
    return (width or key_size) // 2 if call.integer("do_rotary", 0) else 0


def computed(call: Call, slots: Slots) -> Tensor:
    """The tensor whose type the attention works in: the input, or the bias where the input is quantized integers."""
    x = call.input(0)
    return x if x.dtype is None or "int" not in x.dtype else call.input(slots.bias)


def attention(call: Call) -> Result:
    """Attention with a merged projection."""
    return self_attention(call, Slots(bias=2, mask=3, past=4, position_bias=5, past_length=6))


def quantized_attention(call: Call) -> Result:
    """Attention whose projection multiplies 8-bit integers; the attention itself is as wide as the bias."""
    return self_attention(call, Slots(bias=2, mask=5, past=8, weight_zero=7))


def masked_decoder_self_attention(call: Call) -> Result:
    """Attention of one new token to itself and the cache, projection included."""
    return self_attention(call, Slots(bias=2, mask=3, past=4, position_bias=5, past_length=6))


def packed_attention(call: Call) -> Result:
    """Attention over tokens packed without padding.

    The projection is counted for the tokens there are; scores are counted over the padded [batch, sequence], because
    the lengths are known only at the run.
    """
    return self_attention(call, Slots(bias=2, offsets=3, position_bias=5))


PROJECTED = "mask_filter_value num_heads scale"
OPERATORS = (
    Operator(
        name="Attention",
        rule=attention,
        inputs=(2, 7),
        outputs=(1, 2),
        attributes=f"{PROJECTED} do_rotary past_present_share_buffer qkv_hidden_sizes rotary_embedding_dim "
        "unidirectional",
        settings=(3, 5, 6),
        domain=MICROSOFT,
    ),
    Operator(
        name="QAttention",
        rule=quantized_attention,
        inputs=(5, 9),
        outputs=(1, 2),
        attributes=f"{PROJECTED} do_rotary past_present_share_buffer unidirectional",
        weights=(1,),
        settings=(3, 4, 5, 6, 7),
        domain=MICROSOFT,
    ),
    Operator(
        name="DecoderMaskedSelfAttention",
        rule=masked_decoder_self_attention,
        inputs=(7, 9),
        outputs=(2, 2),
        attributes=f"{PROJECTED} do_rotary past_present_share_buffer",
        settings=(3, 5, 6, 7, 8),
        domain=MICROSOFT,
    ),
    Operator(
        name="PackedAttention",
        rule=packed_attention,
        inputs=(5, 6),
        attributes="num_heads qkv_hidden_sizes scale",
        settings=(3, 4, 5),
        domain=MICROSOFT,
    ),
)
