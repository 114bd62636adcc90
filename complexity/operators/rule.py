"""What an operator rule is: it sees one call (operator, attributes, what is known of the inputs) and answers with the
outputs and the work. A rule never sees weights, names of other nodes, or a counting convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NoReturn, TypeVar

from ..accounting import Countable, Signal
from ..arithmetic import Arithmetic
from ..errors import ModelError, quoted
from ..expressions import Expression, Size, symbol
from ..formats import Accumulation, Format
from ..shapes import Element, Shape, Tensor, is_known

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["MICROSOFT", "Call", "Layout", "Operator", "Result", "Rule", "Steps", "Uncounted", "operand"]

# The domain of the operators onnxruntime adds to the standard.
MICROSOFT = "com.microsoft"

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Tensor
Expected = TypeVar("Expected", bound=Attribute)


class Uncounted(Exception):
    """The call cannot be counted, for a reason the report prints; its outputs may still be known."""

    def __init__(self, reason: str, outputs: tuple[Tensor, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outputs = outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One execution of a node. An absent optional input is None; `wanted` says which outputs have a name.

    signature: the attributes as they are stored, equal for equal ones.
    alone[i]: no other node reads input i, so what a linear operator left there can still take a bias.
    name: what sizes that only the data decide are called after; invented: those a rule asked for.
    activation: the format a table of formats gives what the node writes; fallback: where nothing else gives one.
    """

    op: str
    domain: str = ""
    version: int = 0
    inputs: tuple[Tensor | None, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    signature: tuple[bytes, ...] = ()
    wanted: tuple[bool, ...] = (True,)
    alone: tuple[bool, ...] = ()
    name: str = "node"
    activation: Format | None = None
    fallback: Format | None = None
    invented: list[str] = field(default_factory=list)

    def refuse(self, identifier: str, fact: str) -> NoReturn:
        """The node contradicts itself or the operator's definition: the model is refused."""
        raise ModelError(identifier, fact)

    def unknown(self, reason: str, *outputs: Tensor) -> NoReturn:
        """The node is fine but cannot be counted: an uncounted row with this reason."""
        raise Uncounted(reason, outputs)

    def symbol(self, suffix: str) -> Expression:
        """A free size that only the data decide, named after the node."""
        self.invented.append(suffix)
        return symbol(f"{self.name}.{suffix}")

    def given(self, index: int) -> Tensor | None:
        """An optional input."""
        return self.inputs[index] if index < len(self.inputs) else None

    def input(self, index: int) -> Tensor:
        """A required input."""
        tensor = self.given(index)
        if tensor is None:
            self.refuse("E-NODE-INPUT", f"input {index} is required and absent")
        return tensor

    def shape(self, index: int, rank: int | None = None) -> Shape:
        """The shape of a required input, of a certain rank if one is named; uncounted where it is not known."""
        shape = self.input(index).shape
        if shape is None:
            self.unknown(f"the shape of input {index} is unknown")
        if rank is not None and len(shape) != rank:
            self.refuse("E-RANK", f"input {index} has rank {len(shape)}, expected {rank}")
        return shape

    def wants(self, index: int) -> bool:
        """Whether output `index` has a name."""
        return index < len(self.wanted) and self.wanted[index]

    def values(self, index: int) -> tuple[Element, ...] | None:
        """The known elements of an optional input, None if absent or unknown."""
        tensor = self.given(index)
        return None if tensor is None else tensor.value

    def sizes(self, index: int) -> tuple[Size, ...] | None:
        """The known elements of an optional integer input as sizes, None if absent or any is unknown."""
        value = self.values(index)
        if value is None:
            return None
        sizes = tuple(element for element in value if element is not None and not isinstance(element, str | float))
        return sizes if len(sizes) == len(value) else None

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute; a required one has no default."""
        return self._attribute(name, default, int)

    def number(self, name: str, default: float | None = None) -> float:
        """A float attribute; a required one has no default."""
        return self._attribute(name, default, float)

    def text(self, name: str, default: str | None = None) -> str:
        """A string attribute; a required one has no default."""
        return self._attribute(name, default, str)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers, None if absent."""
        found = self.attributes.get(name)
        if found is None:
            return None
        if not isinstance(found, tuple) or not all(isinstance(item, int) for item in found):
            self.refuse("E-ATTRIBUTE-TYPE", f"attribute '{name}' must be a list of integers")
        return tuple(item for item in found if isinstance(item, int))

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of strings, None if absent."""
        found = self.attributes.get(name)
        if found is None:
            return None
        if not isinstance(found, tuple) or not all(isinstance(item, str) for item in found):
            self.refuse("E-ATTRIBUTE-TYPE", f"attribute '{name}' must be a list of strings")
        return tuple(item for item in found if isinstance(item, str))

    def _attribute(self, name: str, default: Expected | None, kind: type[Expected]) -> Expected:
        found = self.attributes.get(name, default)
        if found is None:
            self.refuse("E-ATTRIBUTE-MISSING", f"attribute '{name}' is required and absent")
        if not isinstance(found, kind):
            self.refuse(
                "E-ATTRIBUTE-TYPE", f"attribute '{name}' is {quoted(found)}, expected {_KINDS.get(kind, kind.__name__)}"
            )
        return found

    def axis(self, value: int, rank: int, name: str = "axis") -> int:
        """An axis brought into 0..rank-1; refuses one outside -rank..rank-1."""
        if not -rank <= value < rank:
            self.refuse("E-AXIS", f"{name} {value} is outside -{rank}..{rank - 1}")
        return value % rank

    @property
    def folded(self) -> bool:
        """Whether every input present is known element by element."""
        return all(tensor is None or is_known(tensor.value) for tensor in self.inputs)


_KINDS: dict[type, str] = {int: "an integer", float: "a number", str: "a string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Equations of an operator that is no layer of the catalogue, run so many times.

    wired: the text says which element meets which, and what its constants are: a kernel can be made of it. One that
    does not is for counting only.
    """

    text: Callable[[Arithmetic[Signal]], None]
    executions: Size = 1
    wired: bool = False

    def equations(self, m: Arithmetic[Signal]) -> None:
        """The operator in the vocabulary of arithmetic."""
        self.text(m)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a named constant of the equations stands among the inputs, and how its rows of weights lie in it.

    arrange: the input's array as [outputs, terms], seen together with those `beside` it. zero: the input whose numbers
    are taken off first, along `axis`.
    """

    input: int
    arrange: Callable[..., Array]
    beside: tuple[int, ...] = ()
    zero: int | None = None
    axis: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a rule answers: output tensors, and either work or the reason why there is none.

    kind: the layer's or family's name in the report. formats: named number formats worth showing
    ("weight", "input", "accumulator"). packed: inputs whose stored elements are not their numbers, several of which
    share a byte or lie in padded blocks: how many numbers an input stands for, and the format of one.
    layouts: constants of the equations whose values can be known, by the names the equations give them.
    partial: the input whose open accumulator the equations go on with. sum: the products that are summed.
    accumulator: the width the file declares for them. padding: products whose input is padding, None if unknown.
    """

    outputs: tuple[Tensor, ...]
    work: Countable | None = None
    free: str | None = None
    kind: str = ""
    formats: Mapping[str, Format] = field(default_factory=dict)
    packed: Mapping[int, tuple[Size, Format]] = field(default_factory=dict)
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    partial: int | None = None
    accumulator: int | None = None
    sum: Accumulation | None = None
    padding: Size | None = 0


Rule = Callable[[Call], Result]


def operand(m: Arithmetic[Signal], tensor: Tensor, elements: Size, name: str = "") -> Signal:
    """A tensor as an operand of so many elements: a constant where it is the same at every run."""
    return (m.constant if tensor.constant else m.variable)(elements, tensor.number, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One line of the operator index: how calls of a name are checked, shaped and counted.

    inputs, outputs: least and greatest number (None: any). attributes: every name the operator defines, over all
    versions; another name is unknown. weights: integer inputs that are trained numbers when constant
    (floating inputs always are). settings: inputs that steer the operator and are never parameters.
    free: why calls cost nothing by definition. uncountable: why calls can never be counted; the rule still shapes them.
    random: outputs differ at every run, whatever the inputs.
    """

    name: str
    rule: Rule
    inputs: tuple[int, int | None] = (1, 1)
    outputs: tuple[int, int | None] = (1, 1)
    attributes: str = ""
    weights: tuple[int, ...] = ()
    settings: tuple[int, ...] = ()
    free: str | None = None
    uncountable: str | None = None
    random: bool = False
    domain: str = ""

    def knows(self, attribute: str) -> bool:
        """Whether any version of the operator defines this attribute."""
        return attribute in _words(self.attributes)


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())
