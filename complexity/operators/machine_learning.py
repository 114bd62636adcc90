"""Linear models of ai.onnx.ml, scaling and normalising of features, and what the family's models do to their scores."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size, product
from ..formats import Accumulation, format_of_dtype
from ..layers.attention import softmax_rows
from ..layers.contraction import Contraction
from ..ops import Role
from ..shapes import Tensor
from .rule import Call, Operator, Result, Steps

__all__ = ["FLOAT", "OPERATORS", "class_labels", "feature_matrix", "numbers", "transform_of", "transformed"]

DOMAIN = "ai.onnx.ml"
FLOAT = format_of_dtype("float32")
TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def numbers(call: Call, name: str) -> int:
    """How many elements a list or tensor attribute holds, 0 if it is absent."""
    found = call.attributes.get(name)
    if isinstance(found, Tensor):
        size = found.size
        return size if isinstance(size, int) else 0
    if found is not None and not isinstance(found, tuple):
        call.refuse("E-ATTRIBUTE-TYPE", f"attribute '{name}' must be a list")
    return len(found or ())


def feature_matrix(call: Call) -> tuple[Size, Size]:
    """Rows and features of input 0; a vector is one row."""
    shape = call.shape(0)
    if not 1 <= len(shape) <= 2:
        call.refuse("E-RANK", f"input 0 has rank {len(shape)}, expected 1 or 2")
    return (shape[0] if len(shape) == 2 else 1), shape[-1]


def class_labels(call: Call, integers: str, strings: str = "classlabels_strings") -> tuple[int, str]:
    """Number of classes and element type of their labels."""
    names = call.texts(strings)
    return (len(names), "string") if names else (numbers(call, integers), "int64")


def transform_of(call: Call) -> str:
    """The attribute post_transform; TreeEnsemble gives it as a number."""
    found = call.attributes.get("post_transform", "NONE")
    if isinstance(found, int):
        found = TRANSFORMS[found] if 0 <= found < len(TRANSFORMS) else str(found)
    if not isinstance(found, str) or found not in TRANSFORMS:
        call.refuse("E-POST-TRANSFORM", f"post_transform '{quoted(found)}' is none of {', '.join(TRANSFORMS)}")
    return found


def transformed(m: Arithmetic[Signal], transform: str, rows: Size, scores: Size) -> None:
    """SOFTMAX over the scores of a row (SOFTMAX_ZERO, which leaves zeros out, counted as if there were none), or one
    sigmoid or probit per score."""
    if scores == 0 or transform == "NONE":
        return
    x = m.variable(rows * scores, FLOAT)
    if transform in ("LOGISTIC", "PROBIT"):
        m.lookup(x, "sigmoid" if transform == "LOGISTIC" else "probit")
    else:
        softmax_rows(m, x, terms=scores, rows=rows, format=FLOAT)


def linear_scores(call: Call, rows: Size, features: Size, models: Size) -> tuple[Contraction, bool]:
    """Rows times models dot products with coefficients, and whether intercepts are added."""
    count = numbers(call, "coefficients")
    if isinstance(features, int) and isinstance(models, int) and count != features * models:
        call.refuse("E-COEFFICIENTS", f"{count} coefficients, expected {models} models of {features} features")
    number = call.input(0).number
    work = Contraction(terms=features, outputs=rows * models, input=number, weight=FLOAT, role=Role.INPUT)
    return work, numbers(call, "intercepts") > 0


def with_intercepts(m: Arithmetic[Signal], scores: Contraction, *, intercepts: bool) -> None:
    """The dot products, the intercepts added in their accumulator."""
    scores.equations(m)
    if intercepts:
        y = m.partial(scores.outputs, Accumulation(scores.terms, scores.input, scores.weight))
        m.add(y, m.constant(scores.outputs, FLOAT), role=Role.BIAS)


def linear_regressor(call: Call) -> Result:
    """Y = post_transform(X C^T + intercepts)."""
    rows, features = feature_matrix(call)
    targets = call.integer("targets", 1)
    if targets < 1:
        call.refuse("E-TARGETS", f"attribute 'targets' is {targets}, expected 1 or more")
    scores, intercepts = linear_scores(call, rows, features, targets)
    transform = transform_of(call)

    def text(m: Arithmetic[Signal]) -> None:
        with_intercepts(m, scores, intercepts=intercepts)
        transformed(m, transform, rows, targets)

    output = Tensor(dtype="float32", shape=(rows, targets))
    return Result(outputs=(output,), work=Steps(text=text), kind="dense", formats=scores.formats)


def linear_classifier(call: Call) -> Result:
    """Z = post_transform(X C^T + intercepts), Y the label of the greatest score: classes - 1 comparisons per row.

    Two classes may share one model: the other score is one subtraction.
    """
    rows, features = feature_matrix(call)
    classes, dtype = class_labels(call, "classlabels_ints")
    count = numbers(call, "coefficients")
    shared = classes == 2 and (numbers(call, "intercepts") == 1 or count == features)
    models = 1 if shared else classes or numbers(call, "intercepts")
    scores, intercepts = linear_scores(call, rows, features, models)
    transform, columns = transform_of(call), 2 if shared else models

    def text(m: Arithmetic[Signal]) -> None:
        with_intercepts(m, scores, intercepts=intercepts)
        if shared:
            m.subtract(m.constant(rows, FLOAT), m.variable(rows, FLOAT), role=Role.ELEMENTWISE)
        transformed(m, transform, rows, 1 if shared and transform == "LOGISTIC" else columns)
        m.greatest(m.variable(rows * columns, FLOAT), terms=columns, outputs=rows, role=Role.REDUCTION)

    outputs = (Tensor(dtype=dtype, shape=(rows,)), Tensor(dtype="float32", shape=(rows, columns)))
    return Result(
        outputs=outputs[: max(1, len(call.wanted))], work=Steps(text=text), kind="dense", formats=scores.formats
    )


def scaler(call: Call) -> Result:
    """Y = (X - offset) * scale: a subtraction and a product per element, each only where its attribute is there."""
    shape, x = call.shape(0), call.input(0)
    counts = [numbers(call, name) for name in ("offset", "scale")]
    for name, count in zip(("offset", "scale"), counts, strict=True):
        if count > 1 and shape and isinstance(shape[-1], int) and count != shape[-1]:
            call.refuse("E-SCALER-SIZE", f"attribute '{name}' has {count} numbers, expected 1 or {shape[-1]}")

    def text(m: Arithmetic[Signal]) -> None:
        y = m.variable(product(shape), x.number)
        if counts[0]:
            y = m.subtract(y, m.constant(1, FLOAT), role=Role.ELEMENTWISE)
        if counts[1]:
            m.multiply(m.requantize(y, FLOAT), m.constant(1, FLOAT), role=Role.SCALE)

    return Result(outputs=(Tensor(dtype="float32", shape=shape),), work=Steps(text=text), kind="elementwise")


def normalizer(call: Call) -> Result:
    """Y = X / norm(X) per row, Y = X where the norm is zero.

    Counting over n values: MAX n magnitudes and n - 1 comparisons; L1 n magnitudes and n - 1 additions; L2 n squares,
    n - 1 additions, 1 sqrt; then one comparison with zero and n divisions. A magnitude is a comparison.
    """
    rows, features = feature_matrix(call)
    norm = call.text("norm", "MAX")
    if norm not in ("MAX", "L1", "L2"):
        call.refuse("E-NORM", f"attribute 'norm' is '{quoted(norm)}', expected MAX, L1 or L2")

    def text(m: Arithmetic[Signal]) -> None:
        if features == 0:
            return
        x = m.variable(rows * features, call.input(0).number)
        divisor = norm_of(m, x, norm, rows, features)
        m.compare(divisor, m.constant(1, FLOAT), role=Role.NORMALIZATION)
        m.lookup(x, "division", result=FLOAT, role=Role.NORMALIZATION)

    return Result(outputs=(Tensor(dtype="float32", shape=call.shape(0)),), work=Steps(text=text), kind="normalization")


def norm_of(m: Arithmetic[Signal], x: Signal, norm: str, rows: Size, features: Size) -> Signal:
    """The norm of every row."""
    role = Role.NORMALIZATION
    if norm == "L2":
        squares: Signal = m.requantize(m.multiply(x, x, role=role), FLOAT)
        total = m.sum(squares, terms=features, outputs=rows, role=role)
        return m.lookup(m.requantize(total, FLOAT), "sqrt", role=role)
    size = m.compare(x, m.constant(1, FLOAT), role=role)
    if norm == "MAX":
        return m.greatest(size, terms=features, outputs=rows, role=role)
    return m.requantize(m.sum(size, terms=features, outputs=rows, role=role), FLOAT)


OPERATORS = (
    Operator(
        name="LinearClassifier",
        rule=linear_classifier,
        outputs=(2, 2),
        attributes="classlabels_ints classlabels_strings coefficients intercepts multi_class post_transform",
        domain=DOMAIN,
    ),
    Operator(
        name="LinearRegressor",
        rule=linear_regressor,
        attributes="coefficients intercepts post_transform targets",
        domain=DOMAIN,
    ),
    Operator(name="Normalizer", rule=normalizer, attributes="norm", domain=DOMAIN),
    Operator(name="Scaler", rule=scaler, attributes="offset scale", domain=DOMAIN),
)
