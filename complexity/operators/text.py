"""Strings: normalisation, splitting, joining, matching, n-grams."""

from __future__ import annotations

from ..shapes import Shape, ShapeConflict, Tensor, broadcast
from .moved import listed
from .rule import MICROSOFT, Call, Operator, Result

__all__ = ["OPERATORS"]

TEXT = "text: no arithmetic on numbers"


def normalizer(call: Call) -> Result:
    """Strings without stop words, in one case; the input is [C] or [1, C]."""
    x = call.input(0)
    shape = x.shape
    if shape is not None and (len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] not in (1,))):
        call.refuse("E-TEXT-SHAPE", f"input 0 has shape {listed(shape)}, expected [C] or [1,C]")
    if shape is not None and call.texts("stopwords"):
        shape = (*shape[:-1], call.symbol("count"))
    return Result(outputs=(Tensor(dtype="string", shape=shape),), free=TEXT)


def splitter(call: Call) -> Result:
    """Each string cut at a delimiter: a new last axis as long as the longest result, and how many each gave."""
    shape = call.input(0).shape
    parts = None if shape is None else (*shape, call.symbol("parts"))
    outputs = (Tensor(dtype="string", shape=parts), Tensor(dtype="int64", shape=shape))
    return Result(outputs=outputs, free=TEXT)


def joiner(call: Call) -> Result:
    """Strings joined element by element, broadcast."""
    left, right = call.input(0).shape, call.input(1).shape
    shape: Shape | None = None
    if left is not None and right is not None:
        try:
            shape = broadcast(left, right)
        except ShapeConflict as conflict:
            call.refuse("E-BROADCAST", str(conflict))
    return Result(outputs=(Tensor(dtype="string", shape=shape),), free=TEXT)


def matcher(call: Call) -> Result:
    """Whether each string matches a regular expression as a whole."""
    return Result(outputs=(Tensor(dtype="bool", shape=call.input(0).shape),))


def ngrams(call: Call) -> Result:
    """How often each n-gram of a pool occurs in the input: [C] -> [max(ngram_indexes) + 1], a row each for [N, C]."""
    shape, places = call.input(0).shape, call.integers("ngram_indexes")
    if not places or min(places) < 0:
        call.refuse("E-NGRAM-INDEXES", f"ngram_indexes {listed(places or ())} must name places from 0 on")
    if shape is not None and len(shape) not in (1, 2):
        call.refuse("E-TEXT-SHAPE", f"input 0 has shape {listed(shape)}, expected [C] or [N,C]")
    found = None if shape is None else (*shape[:-1], max(places) + 1)
    return Result(outputs=(Tensor(dtype="float32", shape=found),))


def tokenizer(call: Call) -> Result:
    """Strings cut into tokens: [C] -> [C, tokens], [N, C] -> [N, C, tokens]."""
    shape = call.input(0).shape
    found = None if shape is None else (*shape, call.symbol("tokens"))
    return Result(outputs=(Tensor(dtype="string", shape=found),), free=TEXT)


OPERATORS = (
    Operator(
        name="StringNormalizer",
        rule=normalizer,
        attributes="stopwords locale is_case_sensitive case_change_action",
        free=TEXT,
    ),
    Operator(name="StringSplit", rule=splitter, outputs=(2, 2), attributes="maxsplit delimiter", free=TEXT),
    Operator(name="StringConcat", rule=joiner, inputs=(2, 2), free=TEXT),
    Operator(
        name="RegexFullMatch",
        rule=matcher,
        attributes="pattern",
        uncountable="matching a regular expression: the work depends on the text",
    ),
    Operator(
        name="TfIdfVectorizer",
        rule=ngrams,
        attributes="mode ngram_indexes weights ngram_counts pool_int64s pool_strings max_skip_count min_gram_length "
        "max_gram_length",
        uncountable="counting n-grams: the work depends on the text",
    ),
    Operator(
        name="Tokenizer",
        rule=tokenizer,
        attributes="mark pad_value separators tokenexp mincharnum stopwords",
        domain=MICROSOFT,
        free=TEXT,
    ),
)
