"""Feature columns of ai.onnx.ml: selected, joined, looked up in tables, compared with thresholds."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..expressions import Size, product
from ..ops import Role
from ..shapes import Shape, Tensor
from .rule import Call, Operator, Result, Steps, operand

__all__ = ["OPERATORS"]

DOMAIN = "ai.onnx.ml"
LOOKUP = "look-up in a table"
MOVEMENT = "data movement"


def compared(call: Call, values: int) -> Result:
    """One comparison per element and value it is compared with."""
    x, shape = call.input(0), call.shape(0)

    def text(m: Arithmetic[Signal]) -> None:
        for _ in range(values):
            m.compare(operand(m, x, product(shape)), m.constant(1, x.number), role=Role.ELEMENTWISE)

    return Result(outputs=(Tensor(dtype=x.dtype, shape=shape),), work=Steps(text=text), kind="elementwise")


def binarizer(call: Call) -> Result:
    """Y = 1 where X > threshold, else 0: one comparison per element."""
    return compared(call, 1)


def imputer(call: Call) -> Result:
    """X with one value replaced by another: one comparison per element."""
    return compared(call, 1)


def array_feature_extractor(call: Call) -> Result:
    """Columns of X: elements of its last axis at the positions Y."""
    x, shape, count = call.input(0), call.shape(0), product(call.shape(1))
    if not shape:
        call.refuse("E-RANK", "input 0 has rank 0, expected 1 or more")
    rows: Shape = shape[:-1] if len(shape) > 1 else (1,)
    output = Tensor(dtype=x.dtype, shape=(*rows, count), format=x.format, stored=x.stored)
    return Result(outputs=(output,), free=MOVEMENT)


def feature_vectorizer(call: Call) -> Result:
    """All inputs side by side, as floats; a vector is one row."""
    rows: Size = 1
    width: Size = 0
    for index in range(len(call.inputs)):
        shape = call.shape(index)
        if not 1 <= len(shape) <= 2:
            call.refuse("E-RANK", f"input {index} has rank {len(shape)}, expected 1 or 2")
        here: Size = shape[0] if len(shape) == 2 else 1
        if index and isinstance(rows, int) and isinstance(here, int) and rows != here:
            call.refuse("E-FEATURE-ROWS", f"input {index} has {here} rows, expected {rows}")
        rows, width = (here if index == 0 or isinstance(here, int) else rows), width + shape[-1]
    return Result(outputs=(Tensor(dtype="float32", shape=(rows, width)),), free=MOVEMENT)


def label_encoder(call: Call) -> Result:
    """Every element replaced by the value its key has in a table."""
    x, table = call.input(0), call.attributes.get("values_tensor")
    dtype = {"string": "int64", "int64": "string"}.get(x.dtype or "")
    if isinstance(table, Tensor):
        dtype = table.dtype
    for name, kind in (("values_strings", "string"), ("values_int64s", "int64"), ("values_floats", "float32")):
        if name in call.attributes:
            dtype = kind
    return Result(outputs=(Tensor(dtype=dtype, shape=x.shape),), free=LOOKUP)


def category_mapper(call: Call) -> Result:
    """Strings to integers and back."""
    x = call.input(0)
    dtype = {"string": "int64", "int64": "string"}.get(x.dtype or "")
    return Result(outputs=(Tensor(dtype=dtype, shape=x.shape),), free=LOOKUP)


def entries(call: Call, integers: str, strings: str) -> int:
    """How many entries a table of integers or of strings has; one of the two must be there."""
    found = call.integers(integers) or call.texts(strings)
    if not found:
        call.refuse("E-ATTRIBUTE-MISSING", f"attribute '{integers}' or '{strings}' is required, both are absent")
    return len(found)


def one_hot_encoder(call: Call) -> Result:
    """Ones at the place of each category, along a new last axis."""
    categories = entries(call, "cats_int64s", "cats_strings")
    output = Tensor(dtype="float32", shape=(*call.shape(0), categories))
    return Result(outputs=(output,), free=LOOKUP)


def cast_map(call: Call) -> Result:
    """The values of a map in the order of their keys: all there are, or max_map with zeros between them."""
    kinds = {"TO_FLOAT": "float32", "TO_STRING": "string", "TO_INT64": "int64"}
    sparse = call.text("map_form", "DENSE") == "SPARSE"
    count: Size = call.integer("max_map", 1) if sparse else call.symbol("count")
    if isinstance(count, int) and count < 1:
        call.refuse("E-MAP-SIZE", f"attribute 'max_map' is {count}, expected 1 or more")
    output = Tensor(dtype=kinds.get(call.text("cast_to", "TO_FLOAT")), shape=(1, count))
    return Result(outputs=(output,), free=MOVEMENT)


def dict_vectorizer(call: Call) -> Result:
    """The values of a map at the places of their keys in a vocabulary; one row, as the runtime makes it."""
    words = entries(call, "int64_vocabulary", "string_vocabulary")
    item = call.input(0).item
    return Result(outputs=(Tensor(dtype=None if item is None else item.dtype, shape=(1, words)),), free=LOOKUP)


def zip_map(call: Call) -> Result:
    """A map from class labels to scores for every row."""
    shape = call.shape(0)
    if not 1 <= len(shape) <= 2:
        call.refuse("E-RANK", f"input 0 has rank {len(shape)}, expected 1 or 2")
    labels = call.integers("classlabels_int64s") or call.texts("classlabels_strings") or ()
    if isinstance(shape[-1], int) and labels and shape[-1] != len(labels):
        call.refuse("E-ZIPMAP-LABELS", f"{shape[-1]} columns, but {len(labels)} class labels")
    rows: Size = shape[0] if len(shape) == 2 else 1
    output = Tensor(item=Tensor(dtype=call.input(0).dtype, shape=(len(labels),)), length=rows)
    return Result(outputs=(output,), free=MOVEMENT)


OPERATORS = (
    Operator(name="ArrayFeatureExtractor", rule=array_feature_extractor, inputs=(2, 2), settings=(1,), domain=DOMAIN),
    Operator(name="Binarizer", rule=binarizer, attributes="threshold", domain=DOMAIN),
    Operator(name="CastMap", rule=cast_map, attributes="cast_to map_form max_map", domain=DOMAIN),
    Operator(
        name="CategoryMapper",
        rule=category_mapper,
        attributes="cats_int64s cats_strings default_int64 default_string",
        domain=DOMAIN,
    ),
    Operator(
        name="DictVectorizer", rule=dict_vectorizer, attributes="int64_vocabulary string_vocabulary", domain=DOMAIN
    ),
    Operator(
        name="FeatureVectorizer",
        rule=feature_vectorizer,
        inputs=(1, None),
        attributes="inputdimensions",
        domain=DOMAIN,
    ),
    Operator(
        name="Imputer",
        rule=imputer,
        attributes="imputed_value_floats imputed_value_int64s replaced_value_float replaced_value_int64",
        domain=DOMAIN,
    ),
    Operator(
        name="LabelEncoder",
        rule=label_encoder,
        attributes="classes_strings default_float default_int64 default_string default_tensor keys_floats keys_int64s "
        "keys_strings keys_tensor values_floats values_int64s values_strings values_tensor",
        domain=DOMAIN,
    ),
    Operator(name="OneHotEncoder", rule=one_hot_encoder, attributes="cats_int64s cats_strings zeros", domain=DOMAIN),
    Operator(name="ZipMap", rule=zip_map, attributes="classlabels_int64s classlabels_strings", domain=DOMAIN),
)
