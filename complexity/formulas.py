"""Formulas: the one door to sympy, and the letters of the literature.

Letters: n_s steps, n_i inputs, n_h hidden units, n_n neurons, n_f filters, n_k kernel taps, O output positions,
B batch; b_w, b_i, b_a bits of weight, input and activation; X_w adders per multiplication by a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from .accounting import count
from .errors import UsageError, quoted
from .expressions import Expression, Size, substitute
from .kinds import open_layer
from .layers.layer import Layer
from .metrics import Metric
from .network import Row

if TYPE_CHECKING:
    import sympy

__all__ = ["Formula", "closed_form", "kind_form", "layer_form"]


class Formula:
    """A metric in closed form: prints as text, shows as LaTeX in a notebook, becomes sympy when asked."""

    def __init__(self, size: Size, heading: str = "") -> None:
        self.size = size
        self.heading = heading

    @property
    def expr(self) -> sympy.Expr:
        """The sympy expression; every name is a positive integer symbol, clog2(n) is ceil(log2 n) on exact integers."""
        return _sympy(self.size)

    def subs(self, values: Mapping[str, Size] | None = None, **named: Size) -> Formula | int:
        """The formula with names replaced; an exact int once none is left."""
        size = substitute(self.size, {**(values or {}), **named})
        return Formula(size, self.heading) if isinstance(size, Expression) else size

    def latex(self) -> str:
        """LaTeX, factored as the literature prints it."""
        import sympy

        return str(sympy.latex(sympy.factor_terms(self.expr)))

    def python(self) -> str:
        """A Python expression; clog2(n) stands for (n - 1).bit_length()."""
        return str(self.size)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/latex": f"${self.latex()}$"}

    def __str__(self) -> str:
        return f"{self.heading} = {self.size}" if self.heading else str(self.size)

    __repr__ = __str__


def closed_form(row: Row, metric: Metric) -> Formula:
    """The closed form of a row's layer for one inference, in the literature's letters.

    Raises UsageError E-FORMULA where the row's operator is no layer of the catalogue or the metric has no form.
    """
    if not isinstance(row.work, Layer) or not row.work.letters:
        raise UsageError("E-FORMULA", f"'{quoted(row.path)}' ({quoted(row.op)}) has no closed form in the catalogue")
    return layer_form(row.work, metric, row.path)


def layer_form(layer: Layer, metric: Metric, place: str = "") -> Formula:
    """The closed form of a layer for one inference. Raises UsageError E-FORMULA where the metric has none."""
    if not metric.computed:
        raise UsageError("E-FORMULA", f"{metric.key} is no count of operations; ask for one of operations, such as rm")
    if metric.always == "kernel":
        raise UsageError("E-FORMULA", f"{metric.key} is a prediction from integer widths and has no closed form")
    counter = "schedule" if metric.always == "schedule" else "paper"
    total = count(layer.lettered(), counter).total(metric.weight)
    if total is None:
        raise UsageError("E-FORMULA", f"{metric.key} is undefined for the formats of '{quoted(place or layer.kind)}'")
    return Formula(total, metric.heading)


def kind_form(kind: str, metric: Metric) -> Formula:
    """The closed form of a kind of layer for one sequence. Raises SpecError or UsageError for a kind without one."""
    formula = layer_form(open_layer(kind), metric)
    return Formula(substitute(formula.size, {"B": 1}), formula.heading)


@cache
def _clog2() -> Any:
    import sympy

    class clog2(sympy.Function):  # type: ignore[misc]
        """ceil(log2 n) on exact integers; sympy's own ceiling of a logarithm is wrong from 2**31 + 1 on."""

        @classmethod
        def eval(cls, argument: Any) -> Any:
            if argument.is_Integer and argument > 0:
                return sympy.Integer((int(argument) - 1).bit_length())
            return None

        def _latex(self, printer: Any) -> str:
            return rf"\lceil \log_2 {printer._print(self.args[0])} \rceil"

    return clog2


def _sympy(size: Size) -> sympy.Expr:
    import sympy

    if not isinstance(size, Expression):
        return sympy.Integer(size)
    functions = {"Max": sympy.Max, "Min": sympy.Min, "clog2": _clog2()}
    terms = []
    for monomial, coefficient in size.terms.items():
        factors = [sympy.Rational(coefficient.numerator, coefficient.denominator)]
        for atom, power in monomial:
            arguments = [_sympy(argument) for argument in atom.arguments]
            if atom.function == "name":
                base = sympy.Symbol(atom.key, positive=True, integer=True)
            elif atom.function == "floor":
                base = sympy.floor(arguments[0] / arguments[1])
            else:
                base = functions[atom.function](*arguments)
            factors.append(base**power)
        terms.append(sympy.Mul(*factors))
    return sympy.Add(*terms)
