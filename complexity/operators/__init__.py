"""The operators: the index page. One family a file; `find` looks an operator up in exactly its domain."""

from __future__ import annotations

from . import (
    activation,
    attention,
    casting,
    comparison,
    constants,
    convolution,
    convolution_deformable,
    convolution_transposed,
    einsum,
    elementwise,
    feature_encoding,
    folding,
    fused_attention,
    gathering,
    group_query_attention,
    linear,
    linear_attention,
    linear_quantized,
    loss,
    machine_learning,
    multi_head_attention,
    normalization,
    optimizer,
    pooling,
    qonnx,
    quantized_lstm,
    quantizers,
    random,
    recurrent,
    reduction,
    repeating,
    reshaping,
    rotary_embedding,
    scattering,
    selection,
    sequence,
    skip_normalization,
    slicing,
    softmax,
    support_vectors,
    text,
    transform,
    transformer,
    tree_ensemble,
)
from .rule import Operator

__all__ = ["FAMILIES", "KNOWN_VERSIONS", "OLDEST", "OPERATORS", "find"]

FAMILIES = (
    activation,
    attention,
    casting,
    comparison,
    constants,
    convolution,
    convolution_deformable,
    convolution_transposed,
    einsum,
    elementwise,
    feature_encoding,
    folding,
    fused_attention,
    gathering,
    group_query_attention,
    linear,
    linear_attention,
    linear_quantized,
    loss,
    machine_learning,
    multi_head_attention,
    normalization,
    optimizer,
    pooling,
    qonnx,
    quantized_lstm,
    quantizers,
    random,
    recurrent,
    reduction,
    repeating,
    reshaping,
    rotary_embedding,
    scattering,
    selection,
    sequence,
    skip_normalization,
    slicing,
    softmax,
    support_vectors,
    text,
    transform,
    transformer,
    tree_ensemble,
)
OPERATORS: tuple[Operator, ...] = tuple(operator for family in FAMILIES for operator in family.OPERATORS)

# The newest version of each versioned domain whose definitions the rules were written against.
KNOWN_VERSIONS = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview": 1, "ai.onnx.preview.training": 1}
OLDEST = 7
_BY_NAME = {(operator.domain, operator.name): operator for operator in OPERATORS}


def find(domain: str, name: str) -> Operator | None:
    """The rule of an operator, None if there is none in exactly this domain."""
    return _BY_NAME.get((domain, name))
