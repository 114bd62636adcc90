"""Support vector machines of ai.onnx.ml: kernels against every support vector, then weighted sums."""

from __future__ import annotations

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size
from ..formats import Format
from ..ops import Role
from ..shapes import Tensor
from .machine_learning import DOMAIN, FLOAT, class_labels, feature_matrix, numbers, transform_of, transformed
from .rule import Call, Operator, Result, Steps

__all__ = ["OPERATORS"]

KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


def kernel_of(call: Call) -> str:
    """The attribute kernel_type."""
    kernel = call.text("kernel_type", "LINEAR")
    if kernel not in KERNELS:
        call.refuse("E-KERNEL", f"kernel_type '{quoted(kernel)}' is none of {', '.join(KERNELS)}")
    return kernel


def kernels(m: Arithmetic[Signal], kernel: str, values: Size, features: Size, number: Format) -> None:
    """K(x, s) of `values` pairs of an input row and a support vector.

    LINEAR x s; POLY (gamma x s + coef0)^degree; SIGMOID tanh(gamma x s + coef0); RBF exp(-gamma |x - s|^2), which is
    features subtractions, squares and features - 1 additions, one product and one exponential.
    """
    x, support = m.variable(values * features, number), m.constant(values * features, FLOAT)
    one = m.constant(1, FLOAT)
    if kernel == "RBF":
        apart = m.requantize(m.subtract(x, support, role=Role.ELEMENTWISE), FLOAT)
        square = m.requantize(m.multiply(apart, apart, role=Role.ELEMENTWISE), FLOAT)
        distance = m.requantize(m.sum(square, terms=features, outputs=values, role=Role.REDUCTION), FLOAT)
        m.lookup(m.requantize(m.multiply(distance, one, role=Role.SCALE), FLOAT), "exp")
        return
    match = m.requantize(m.dot(x, support, terms=features, outputs=values, role=Role.INPUT), FLOAT)
    if kernel == "LINEAR":
        return
    inner = m.requantize(m.multiply(match, one, role=Role.SCALE), FLOAT)
    inner = m.requantize(m.add(inner, one, role=Role.BIAS), FLOAT)
    m.lookup(inner, "pow" if kernel == "POLY" else "tanh")


def weighted(m: Arithmetic[Signal], terms: Size, outputs: Size, number: Format, *, rho: bool) -> None:
    """Sums of numbers times constant coefficients, with rho added."""
    x, coefficients = m.variable(outputs * terms, number), m.constant(outputs * terms, FLOAT)
    total = m.dot(x, coefficients, terms=terms, outputs=outputs, role=Role.INPUT)
    if rho:
        m.add(m.requantize(total, FLOAT), m.constant(outputs, FLOAT), role=Role.BIAS)


def regressor(call: Call) -> Result:
    """Y = post_transform(sum of coefficients times kernels + rho); without support vectors a dot product with X.

    one_class turns the score into a sign: one comparison per row.
    """
    rows, features = feature_matrix(call)
    kernel, transform, supports = kernel_of(call), transform_of(call), call.integer("n_supports", 0)
    check_supports(call, supports, features)
    rho, number = numbers(call, "rho") > 0, call.input(0).number

    def text(m: Arithmetic[Signal]) -> None:
        if supports > 0:
            kernels(m, kernel, rows * supports, features, number)
            weighted(m, supports, rows, FLOAT, rho=rho)
        else:
            weighted(m, features, rows, number, rho=rho)
        if call.integer("one_class", 0):
            m.compare(m.variable(rows, FLOAT), m.constant(1, FLOAT), role=Role.ELEMENTWISE)
        transformed(m, transform, rows, 1)

    output = Tensor(dtype="float32", shape=(rows, 1))
    return Result(outputs=(output,), work=Steps(text=text), kind="support vectors")


def check_supports(call: Call, supports: int, features: Size) -> None:
    """Refuse support vectors whose numbers do not make so many vectors of the features."""
    count = numbers(call, "support_vectors")
    if supports < 0 or (isinstance(features, int) and count != supports * features):
        call.refuse("E-SUPPORT-VECTORS", f"{count} numbers, expected {supports} support vectors of {features} features")


def classifier(call: Call) -> Result:
    """One score for every pair of classes from the support vectors of both, or one per class for a linear machine.

    Counting per row: all kernels once; (classes - 1) * vectors products and vectors of a pair - 1 additions, rho, one
    comparison and one vote per pair; classes - 1 comparisons pick the label. Probabilities couple the pairs by an
    iteration whose length the data decide: not counted.
    """
    rows, features = feature_matrix(call)
    classes, dtype = class_labels(call, "classlabels_ints")
    kernel, transform = kernel_of(call), transform_of(call)
    vectors = call.integers("vectors_per_class") or ()
    classes = classes or len(vectors)
    if min(vectors, default=0) < 0 or (vectors and len(vectors) != classes):
        call.refuse(
            "E-SUPPORT-VECTORS", f"vectors_per_class is {list(vectors)[:8]}, expected {classes} counts of 0 or more"
        )
    pairs = classes * (classes - 1) // 2
    likely = numbers(call, "prob_a") > 0
    columns = classes if likely or classes <= 2 or not vectors else pairs
    scores = Tensor(dtype="float32", shape=(rows, columns))
    outputs = (Tensor(dtype=dtype, shape=(rows,)), scores)[: max(1, len(call.wanted))]
    if likely:
        call.unknown("probabilities couple the pairs of classes by an iteration whose length the data decide", *outputs)
    check_supports(call, sum(vectors), features)

    def text(m: Arithmetic[Signal]) -> None:
        if vectors:
            kernels(m, kernel, rows * sum(vectors), features, call.input(0).number)
            votes(m, rows, vectors, rho=numbers(call, "rho") > 0)
        else:
            weighted(m, features, rows * classes, call.input(0).number, rho=numbers(call, "rho") > 0)
        m.greatest(m.variable(rows * classes, FLOAT), terms=classes, outputs=rows, role=Role.REDUCTION)
        transformed(m, transform, rows, columns)

    return Result(outputs=outputs, work=Steps(text=text), kind="support vectors")


def votes(m: Arithmetic[Signal], rows: Size, vectors: tuple[int, ...], *, rho: bool) -> None:
    """Every pair of classes decides between the two by the sign of its score."""
    for first in range(len(vectors)):
        for second in range(first + 1, len(vectors)):
            weighted(m, vectors[first] + vectors[second], rows, FLOAT, rho=rho)
            m.compare(m.variable(rows, FLOAT), m.constant(1, FLOAT), role=Role.ELEMENTWISE)
            m.add(m.variable(rows, FLOAT), m.constant(1, FLOAT), role=Role.REDUCTION)


OPERATORS = (
    Operator(
        name="SVMClassifier",
        rule=classifier,
        outputs=(2, 2),
        attributes="classlabels_ints classlabels_strings coefficients kernel_params kernel_type post_transform prob_a "
        "prob_b rho support_vectors vectors_per_class",
        domain=DOMAIN,
    ),
    Operator(
        name="SVMRegressor",
        rule=regressor,
        attributes="coefficients kernel_params kernel_type n_supports one_class post_transform rho support_vectors",
        domain=DOMAIN,
    ),
)
