"""Walking a graph: every node in file order meets its rule, and its outputs become known to the nodes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import ModelError, quoted
from ..expressions import Size, is_expression
from ..formats import FLOATS
from ..network import Row, Status
from ..operators import find
from ..operators.rule import Call, Operator, Result, Uncounted
from ..shapes import ShapeConflict, Tensor
from . import control_flow
from .analysis import Analysis, FunctionName
from .attributes import plain_attributes
from .liveness import Live, Uses
from .naming import node_name, node_path, place_of
from .rows import finished_row
from .scope import Body, Scope
from .versions import opsets_of, version_problem

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto

__all__ = ["Walker"]

FUNCTION_DEPTH, GRAPH_DEPTH = 100, 32
UNKNOWN = Tensor()


@dataclass(frozen=True, slots=True, kw_only=True)
class Walker:
    """Walks the nodes of one graph or function body.

    opsets: versions by domain. place: where the graph is stored. prefix: path of the node that runs it.
    attributes: those of the function call around. functions: the calls around, outermost first.
    tolerant: a node that does not fit its inputs is an uncounted row instead of a refusal (a branch not taken).
    """

    analysis: Analysis
    opsets: Mapping[str, int]
    place: str = ""
    prefix: str = ""
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    tolerant: bool = False
    functions: tuple[FunctionName, ...] = ()
    depth: int = 0

    def inside(self, row: Row, part: str, *, tolerant: bool = False) -> Walker:
        """The walker of a graph stored in a node."""
        if self.depth >= GRAPH_DEPTH:
            raise ModelError("E-LIMIT-DEPTH", f"graphs nest deeper than {GRAPH_DEPTH}")
        return replace(
            self,
            place=f"{row.place}/{part}",
            prefix=f"{self.prefix}{row.path}/{part}/",
            tolerant=self.tolerant or tolerant,
            depth=self.depth + 1,
        )

    def graph(self, graph: GraphProto, inputs: Sequence[Tensor | None], around: Scope | None) -> Body:
        """Walk a graph whose formal inputs are given in order."""
        scope = Scope({}, around)
        self.enter_initializers(graph, scope)
        for value, tensor in zip(graph.input, inputs, strict=False):
            scope.tensors[value.name] = tensor or UNKNOWN
        return self.nodes(graph.node, scope, [value.name for value in graph.output])

    def enter_initializers(self, graph: GraphProto, scope: Scope) -> None:
        """Make the stored tensors of a graph known by name."""
        for proto in graph.initializer:
            try:
                scope.tensors[proto.name] = self.analysis.tensor(proto, f"{self.place}:{proto.name}")
            except ModelError as error:
                raise error.at(f"initializer '{quoted(proto.name)}'") from None
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            dense = self.analysis.tensor(sparse.values, f"{self.place}:{name}")
            scope.tensors[name] = replace(dense, shape=tuple(sparse.dims), value=None)

    def nodes(self, nodes: Sequence[NodeProto], scope: Scope, outputs: Sequence[str]) -> Body:
        """Walk nodes in file order."""
        uses = Uses.of(nodes, outputs)
        live = Live(scope, uses)
        rows: list[Row] = []
        feasible = True
        for index, node in enumerate(nodes):
            path = node_path(node, index)
            within: Size | None = 0
            try:
                body = self.node(node, index, path, scope, uses)
                tensors, own, within = body.outputs, body.rows, body.peak
                self.define(node, tensors, scope)
            except ModelError as error:
                if not self.tolerant:
                    raise error if error.where else error.at(place_of(self.prefix + path, node.op_type)) from None
                row = self.blank(node, index, path, ())
                own = (replace(row, status=Status.UNCOUNTED, reason=error.fact, written=None),)
                self.define(node, (), scope)
                feasible = False
            # The last row is the node's own; the ones before it belong to bodies it ran.
            rows.extend((*own[:-1], replace(own[-1], live=live.after(index, node, within))))
        for name in outputs:
            if name and scope.find(name) is None:
                raise ModelError("E-OUTPUT-UNDEFINED", f"output '{quoted(name)}' is produced by no node")
        found = tuple(scope.find(name) or UNKNOWN for name in outputs)
        return Body(outputs=found, rows=tuple(rows), peak=live.peak, feasible=feasible)

    def define(self, node: NodeProto, tensors: Sequence[Tensor], scope: Scope) -> None:
        """Give the outputs of a node their names, each name once."""
        for position, name in enumerate(node.output):
            if name and name in scope.tensors:
                raise ModelError("E-NAME-TWICE", f"'{quoted(name)}' is produced twice")
            if name:
                scope.tensors[name] = tensors[position] if position < len(tensors) else UNKNOWN

    def node(self, node: NodeProto, index: int, path: str, scope: Scope, uses: Uses) -> Body:
        """Outputs and rows of one node, its own row last; `peak` are the bits alive in its bodies."""
        inputs = self.inputs(node, scope)
        row = self.blank(node, index, path, inputs)
        domain = "" if node.domain == "ai.onnx" else node.domain
        function = (domain, node.op_type, node.overload)
        if function in self.analysis.functions:
            return self.call_function(function, node, row, inputs)
        run, operator = control_flow.find(domain, node.op_type), find(domain, node.op_type)
        problem = version_problem(domain, node.op_type, self.opsets)
        if problem is None and run is None and operator is None:
            problem = f"no rule for operator {quoted(node.op_type)} of domain {quoted(domain or 'ai.onnx')}"
        if problem is not None:
            own = replace(row, status=Status.UNCOUNTED, reason=problem, written=None)
            return Body(outputs=(), rows=(own,), peak=0)
        if run is not None:
            return self.controlled(run, node, row, inputs, scope)
        assert operator is not None
        self.check(operator, node)
        call = self.call(operator, node, domain, path, inputs, uses)
        result = self.result(operator, call, node)
        tensors = tuple(self.finished(tensor, call, result) for tensor in result.outputs)
        if operator.name in ("Constant", "ConstantOfShape"):
            tensors = tuple(self.owned(tensor, row.place) for tensor in tensors)
        own = finished_row(self.analysis, operator, call, row, result, tensors)
        return Body(outputs=tensors, rows=(own,), peak=0)

    def controlled(
        self, run: control_flow.Runner, node: NodeProto, row: Row, inputs: tuple[Tensor | None, ...], scope: Scope
    ) -> Body:
        """A control-flow operator; uncounted where not even its trips have a name."""
        try:
            return run(self, node, row, inputs, scope)
        except Uncounted as reason:
            own = replace(row, status=Status.UNCOUNTED, reason=reason.reason, written=None)
            return Body(outputs=reason.outputs, rows=(own,), peak=None)

    def inputs(self, node: NodeProto, scope: Scope) -> tuple[Tensor | None, ...]:
        """What is known of a node's inputs; None for an absent optional one."""
        tensors: list[Tensor | None] = []
        for name in node.input:
            tensor = scope.find(name) if name else None
            if name and tensor is None:
                raise ModelError("E-NODE-UNDEFINED", f"reads '{quoted(name)}', which nothing before it produces")
            tensors.append(tensor)
        return tuple(tensors)

    def blank(self, node: NodeProto, index: int, path: str, inputs: Sequence[Tensor | None]) -> Row:
        """The row of a node before anything is known of its work."""
        return Row(
            name=node_name(node, index),
            op=node.op_type,
            domain=node.domain or "ai.onnx",
            status=Status.FREE,
            place=f"{self.place}#{index}",
            path=path,
            paths=(path,),
            inputs=tuple(None if tensor is None else tensor.shape for tensor in inputs),
        )

    def check(self, operator: Operator, node: NodeProto) -> None:
        """Numbers of inputs and outputs, and names of attributes, against the operator's definition."""
        numbers = (("inputs", len(node.input), operator.inputs), ("outputs", len(node.output), operator.outputs))
        for what, found, (least, most) in numbers:
            if found < least or (most is not None and found > most):
                expected = f"{least}" if least == most else f"{least} to {most}" if most is not None else f"at least {least}"
                raise ModelError("E-NODE-ARITY", f"has {found} {what}, expected {expected}")
        for attribute in node.attribute:
            if not operator.knows(attribute.name):
                remark = f"operator {quoted(node.op_type)} has no attribute '{quoted(attribute.name)}'"
                self.analysis.unknown_attributes[remark] = None

    def call(
        self, operator: Operator, node: NodeProto, domain: str, path: str, inputs: tuple[Tensor | None, ...], uses: Uses
    ) -> Call:
        """The call a rule sees."""
        attributes = plain_attributes(node.attribute, self.attributes, self.analysis.tensor) if node.attribute else {}
        return Call(
            op=operator.name,
            domain=domain,
            version=self.opsets.get(domain, 1),
            inputs=inputs,
            attributes=attributes,
            wanted=tuple(bool(name) for name in node.output),
            alone=tuple(uses.count.get(name, 0) == 1 for name in node.input),
            name=path,
        )

    def result(self, operator: Operator, call: Call, node: NodeProto) -> Result | Uncounted:
        """The rule's answer, computed once for equal calls.

        Identities of stored tensors do not make calls unequal, so an answer that passes some on is not remembered.
        """
        key = (
            operator.domain,
            operator.name,
            call.version,
            call.inputs,
            tuple(self.serialized(attribute) for attribute in node.attribute),
            call.wanted,
            call.alone,
            any(tensor is not None and tensor.stored for tensor in call.inputs),
        )
        found = self.analysis.results.get(key)
        if found is not None:
            return found
        try:
            found = operator.rule(call)
        except Uncounted as reason:
            found = reason
        except ShapeConflict as conflict:
            raise ModelError("E-SHAPE", str(conflict)) from None
        if call.inputs and not call.invented and not any(tensor.stored for tensor in found.outputs):
            self.analysis.results[key] = found
        return found

    def serialized(self, attribute: AttributeProto) -> bytes:
        """An attribute as a part of a call's signature."""
        bound = self.attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else None
        return attribute.SerializeToString() + (bound.SerializeToString() if bound is not None else b"")

    def finished(self, tensor: Tensor, call: Call, result: Result | Uncounted) -> Tensor:
        """An output with constness, the format the user asks for, and bound sizes."""
        made = bool(call.inputs) or (isinstance(result, Result) and result.work is None)
        constant = tensor.constant or (made and all(t is None or t.constant for t in call.inputs))
        format, shape = tensor.format, tensor.shape
        if format is None and tensor.dtype in FLOATS:
            format = self.analysis.quantization.weight if constant else self.analysis.quantization.activation
        if shape is not None and any(is_expression(size) for size in shape):
            shape = tuple(self.analysis.bound(size) for size in shape)
        if constant == tensor.constant and format is tensor.format and shape is tensor.shape:
            return tensor
        return replace(tensor, constant=constant, format=format, shape=shape)

    def owned(self, tensor: Tensor, identity: str) -> Tensor:
        """A constant that a node makes, registered as a stored tensor."""
        size = tensor.size
        if not tensor.constant or not tensor.shape or size is None:
            return tensor
        self.analysis.stored[identity] = size
        return replace(tensor, stored=frozenset({identity}))

    def call_function(
        self, key: FunctionName, node: NodeProto, row: Row, inputs: tuple[Tensor | None, ...]
    ) -> Body:
        """A model-local function: its body walked once for equal arguments, its rows placed under the call."""
        if key in self.functions:
            ring = " -> ".join(quoted(name) for _, name, _ in (*self.functions, key))
            raise ModelError("E-FUNCTION-CYCLE", f"function calls itself: {ring}")
        if len(self.functions) >= FUNCTION_DEPTH:
            raise ModelError("E-LIMIT-CALLS", f"functions call each other deeper than {FUNCTION_DEPTH}")
        signature = (
            key,
            inputs,
            tuple(tensor and tensor.stored for tensor in inputs),
            tuple(self.serialized(attribute) for attribute in node.attribute),
        )
        body = self.analysis.bodies.get(signature)
        if body is None:
            function = self.analysis.functions[key]
            body = self.function_walker(function, key, node, row).function(function, inputs)
            self.analysis.bodies[signature] = body
        shapes = tuple(tensor.shape for tensor in body.outputs)
        own = replace(row, reason="counted as its body", kind="function", outputs=shapes)
        return replace(body, rows=(*(inner.within(row.path, 1) for inner in body.rows), own))

    def function_walker(self, function: FunctionProto, key: FunctionName, node: NodeProto, row: Row) -> Walker:
        """The walker of a function body: its own opsets, its call's attributes over its defaults."""
        bound = {attribute.name: attribute for attribute in function.attribute_proto}
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                bound[attribute.name] = attribute
            elif attribute.ref_attr_name in self.attributes:
                bound[attribute.name] = self.attributes[attribute.ref_attr_name]
        return replace(
            self,
            opsets=opsets_of(function.opset_import) or self.opsets,
            place=f"function {key[0]}:{key[1]}:{key[2]}",
            prefix=f"{self.prefix}{row.path}/",
            attributes=bound,
            functions=(*self.functions, key),
        )

    def function(self, function: FunctionProto, inputs: Sequence[Tensor | None]) -> Body:
        """Walk a function body."""
        if len(inputs) > len(function.input):
            raise ModelError("E-NODE-ARITY", f"has {len(inputs)} inputs, its function takes {len(function.input)}")
        scope = Scope({name: tensor for name, tensor in zip(function.input, inputs, strict=False) if tensor is not None})
        return self.nodes(function.node, scope, list(function.output))


