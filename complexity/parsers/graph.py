"""Walking a graph: every node in file order meets its rule, and its outputs become known to the nodes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypedDict

from ..encoding import Encoding
from ..errors import ComplexityError, ModelError, quoted
from ..network import Row, Status
from ..operators import find
from ..operators.rule import Attribute, Call, Operator, Result, Uncounted
from ..shapes import Shape, ShapeConflict, Tensor
from . import control_flow
from .analysis import Analysis, FunctionName
from .attributes import borrows_graph, plain_attributes, text
from .detection import detected
from .functions import call_function
from .liveness import Live, Uses
from .naming import node_name, node_path, place_of
from .overrides import Override
from .requantizing import requantized_sum, requantizing
from .rows import Answer, answer_of, encodings_of, formats_from, freed, operands_of, trained
from .scope import ABSENT, Body, Scope
from .stated import stated
from .sums import with_sum
from .unwalked import unwalked
from .versions import version_problem

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, NodeProto

__all__ = ["Walker"]

GRAPH_DEPTH = 32
# The place of the model's own graph.
GRAPH = "graph"
# Errors of the file itself, not of inputs that a branch may never see.
STRUCTURE = ("E-LIMIT-", "E-FUNCTION-")
UNKNOWN = Tensor()


class Identity(TypedDict):
    """The fields of a row that no rule decides."""

    name: str
    op: str
    domain: str
    place: str
    path: str
    paths: tuple[str, ...]
    inputs: tuple[Shape | None, ...]


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
                tensor = self.analysis.tensor(proto, f"{self.place}:{text(proto.name)}")
                scope.tensors[proto.name] = self.annotated(proto.name, tensor)
            except ModelError as error:
                raise error.at(f"initializer '{quoted(proto.name)}'") from None
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            dense = self.analysis.tensor(sparse.values, f"{self.place}:{text(name)}")
            scope.tensors[name] = replace(dense, shape=tuple(sparse.dims), value=None)

    def annotated(self, name: str, tensor: Tensor) -> Tensor:
        """A tensor of the model's graph with what an annotation beside it says."""
        annotations = self.analysis.annotations
        if not annotations or self.place != GRAPH or name not in annotations:
            return tensor
        return annotations[name].applied(tensor)

    def nodes(self, nodes: Sequence[NodeProto], scope: Scope, outputs: Sequence[str]) -> Body:
        """Walk nodes in file order."""
        if self.depth or self.functions:
            self.analysis.spent += len(nodes)
        live = Live(scope, Uses.of(nodes, outputs))
        rows: list[Row] = []
        problem: ComplexityError | None = None
        for index, node in enumerate(nodes):
            path = node_path(node, index)
            try:
                rows.extend(self.node(node, index, path, live))
            except ModelError as found:
                error = found if found.where else found.at(place_of(self.prefix + path, text(node.op_type)))
                if not self.tolerant or found.identifier.startswith(STRUCTURE):
                    raise error from None
                problem = problem or error
                rows.extend(self.misfit(node, index, path, live, found.fact))
        for name in outputs:
            if name and scope.find(name) is None:
                raise ModelError("E-OUTPUT-UNDEFINED", f"output '{quoted(name)}' is produced by no node")
        found_outputs = tuple(scope.find(name) or UNKNOWN for name in outputs)
        return Body(outputs=found_outputs, rows=tuple(rows), peak=live.peak, problem=problem)

    def misfit(self, node: NodeProto, index: int, path: str, live: Live, fact: str) -> tuple[Row, ...]:
        """The rows of a node that does not fit its inputs, where that is no reason to refuse the model."""
        for name in node.output:
            if name:
                live.scope.tensors.setdefault(name, UNKNOWN)
        live.after(index, node)
        return unwalked(node, self.blank(node, index, path, ()), fact)

    def define(self, node: NodeProto, tensors: Sequence[Tensor], scope: Scope) -> None:
        """Give the outputs of a node their names, each name once."""
        for position, name in enumerate(node.output):
            if name and name in scope.tensors:
                raise ModelError("E-NAME-TWICE", f"'{quoted(name)}' is produced twice")
            if name:
                tensor = tensors[position] if position < len(tensors) else UNKNOWN
                scope.tensors[name] = self.annotated(name, tensor)

    def node(self, node: NodeProto, index: int, path: str, live: Live) -> tuple[Row, ...]:
        """Rows of one node, its own last; its outputs become known in the scope of `live`."""
        scope = live.scope
        inputs = self.inputs(node, scope)
        domain, op = node.domain, node.op_type
        if domain == "ai.onnx":
            domain = ""
        if (
            self.analysis.functions
            and (function := (text(domain), text(op), text(node.overload))) in self.analysis.functions
        ):
            body = call_function(self, function, node, self.blank(node, index, path, inputs), inputs)
            return self.with_body(node, index, body, live)
        run, operator = control_flow.find(domain, op), find(domain, op)
        problem = version_problem(domain, op, self.opsets)
        if run is not None and borrows_graph(node):
            problem = "its graph is an attribute of the function call around it"
        if problem is None and run is None and operator is None:
            problem = f"no rule for operator {quoted(op)} of domain {quoted(domain or 'ai.onnx')}"
        if problem is not None:
            rows = unwalked(node, self.blank(node, index, path, inputs), problem)
            return self.with_body(node, index, Body(outputs=(), rows=rows, peak=0), live)
        if run is not None:
            body = self.controlled(run, node, self.blank(node, index, path, inputs), inputs, scope)
            return self.with_body(node, index, body, live)
        assert operator is not None
        return (self.operation(operator, node, index, path, inputs, live),)

    def with_body(self, node: NodeProto, index: int, body: Body, live: Live) -> tuple[Row, ...]:
        """The rows of a node that ran a body, its own row last, with the bits alive beside it."""
        self.define(node, body.outputs, live.scope)
        return (*body.rows[:-1], replace(body.rows[-1], live=live.after(index, node, body.peak)))

    def operation(
        self, operator: Operator, node: NodeProto, index: int, path: str, inputs: tuple[Tensor | None, ...], live: Live
    ) -> Row:
        """The row of an operator's call; its outputs become known."""
        self.check(operator, node)
        call = self.call(operator, node, index, path, inputs, live.uses)
        place = f"{self.place}#{index}"
        answer, tensors = self.settled(operator, node, path, place, call)
        override, accumulator = self.override(operator, node_name(node, index), path, call, answer), None
        if override is not None:
            call, accumulator = override.call(operator, call, answer), override.said.accumulator
            inputs = call.inputs
            answer, tensors = self.settled(operator, node, path, place, call)
            answer = replace(answer, formats_from=override.said.source or "model")
        operands, scheme = operands_of(answer, inputs, self.prefix + path, operator.name), ""
        if self.analysis.quantization.detect and operands:
            inputs, scheme = detected(answer, operands, inputs)
            call = replace(call, inputs=inputs)
            answer, tensors = self.settled(operator, node, path, place, call)
        tensors = with_sum(call, answer, operands, tensors)
        encodings = encodings_of(answer, inputs)
        self.warn(answer, inputs, encodings, path)
        requantization = requantizing(call, answer, tensors)
        if requantization is not None and (summed := requantized_sum(call, answer, operands)) is not None:
            operands["partial"] = summed[1]
        self.define(node, tensors, live.scope)
        return Row(
            **self.identity(node, index, path, inputs),
            status=answer.status,
            kind=answer.kind,
            reason=answer.reason,
            outputs=answer.shapes,
            formats=answer.formats,
            formats_from=formats_from(answer, encodings),
            encodings=encodings,
            detected=scheme,
            work=answer.work,
            operands=operands,
            requantization=requantization,
            padding=answer.padding,
            written=answer.written,
            live=live.after(index, node),
            trained=trained(self.analysis, operator, answer, inputs) if answer.claims else (),
            accumulator=accumulator or answer.accumulator,
        )

    def warn(
        self, answer: Answer, inputs: Sequence[Tensor | None], encodings: Mapping[str, Encoding], path: str
    ) -> None:
        """Remember where quantized weights are multiplied by floats, by what made these floats."""
        weights = {layout.input for name, layout in answer.layouts.items() if name.startswith(("weight", "recurrent"))}
        if not any(name.startswith(("weight", "recurrent")) for name in encodings):
            return
        for index in ({layout.input for layout in answer.layouts.values()} | {0}) - weights:
            tensor = inputs[index] if index < len(inputs) else None
            if tensor is not None and not tensor.constant and tensor.number.floating:
                self.analysis.float_edges.setdefault(tensor.cause, []).append(f"{self.prefix}{path}")

    def settled(
        self, operator: Operator, node: NodeProto, path: str, place: str, call: Call
    ) -> tuple[Answer, tuple[Tensor, ...]]:
        """The answer to a call, and its outputs with all that is known of them."""
        answer = self.answer(operator, node, call)
        tensors = answer.outputs
        if operator.name in ("Constant", "ConstantOfShape"):
            tensors = tuple(self.owned(tensor, place) for tensor in tensors)
        if answer.status is Status.UNCOUNTED:
            return answer, tuple([replace(tensor, known=None) for tensor in tensors])
        try:
            tensors, free = stated(self.analysis, node, call, answer.kind, tensors, self.prefix + path)
        except Uncounted as found:
            return replace(answer, status=Status.UNCOUNTED, reason=found.reason, work=None, layouts={}), tensors
        return answer if free is None else freed(answer, free), tensors

    def override(self, operator: Operator, name: str, path: str, call: Call, answer: Answer) -> Override | None:
        """What is said from outside of a node that is a layer, None where nothing is."""
        overrides = self.analysis.overrides
        found = overrides and overrides.find(operator, name, f"{self.prefix}{path}")
        return found if found and found.applies(answer, operator, call.inputs) else None

    def controlled(
        self, run: control_flow.Runner, node: NodeProto, row: Row, inputs: tuple[Tensor | None, ...], scope: Scope
    ) -> Body:
        """A control-flow operator; uncounted where not even its trips have a name."""
        if self.analysis.exhausted:
            reason = "the graphs around it are walked too often to look into it"
            return Body(outputs=(), rows=unwalked(node, row, reason), peak=None)
        try:
            return run(self, node, row, inputs, scope)
        except Uncounted as reason:
            return Body(outputs=reason.outputs, rows=unwalked(node, row, reason.reason), peak=None)

    def inputs(self, node: NodeProto, scope: Scope) -> tuple[Tensor | None, ...]:
        """What is known of a node's inputs; None for an absent optional one."""
        tensors: list[Tensor | None] = []
        for name in node.input:
            tensor = scope.find(name) if name else None
            if name and tensor is None:
                raise ModelError("E-NODE-UNDEFINED", f"reads '{quoted(name)}', which nothing before it produces")
            tensors.append(None if tensor is ABSENT else tensor)
        return tuple(tensors)

    def blank(self, node: NodeProto, index: int, path: str, inputs: Sequence[Tensor | None]) -> Row:
        """The row of a node before anything is known of its work."""
        return Row(**self.identity(node, index, path, inputs), status=Status.FREE)

    def identity(self, node: NodeProto, index: int, path: str, inputs: Sequence[Tensor | None]) -> Identity:
        """What a row says of the node itself."""
        return {
            "name": node_name(node, index),
            "op": text(node.op_type),
            "domain": text(node.domain) or "ai.onnx",
            "place": f"{self.place}#{index}",
            "path": path,
            "paths": (path,),
            "inputs": tuple([None if tensor is None else tensor.shape for tensor in inputs]),
        }

    def check(self, operator: Operator, node: NodeProto) -> None:
        """Numbers of inputs and outputs, and names of attributes, against the operator's definition."""
        numbers = (("inputs", len(node.input), operator.inputs), ("outputs", len(node.output), operator.outputs))
        for what, found, (least, most) in numbers:
            if found < least or (most is not None and found > most):
                expected = (
                    f"{least}" if least == most else f"{least} to {most}" if most is not None else f"at least {least}"
                )
                raise ModelError("E-NODE-ARITY", f"has {found} {what}, expected {expected}")
        for attribute in node.attribute:
            if not operator.knows(text(attribute.name)):
                remark = f"operator {quoted(operator.name)} has no attribute '{quoted(attribute.name)}'"
                self.analysis.unknown_attributes[remark] = None

    def call(
        self, operator: Operator, node: NodeProto, index: int, path: str, inputs: tuple[Tensor | None, ...], uses: Uses
    ) -> Call:
        """The node as its rule and the dialects see it."""
        attributes: Mapping[str, Attribute] = {}
        signature: tuple[bytes, ...] = ()
        if node.attribute:
            signature = tuple([self.serialized(attribute) for attribute in node.attribute])
            known = self.analysis.attributes
            if signature not in known:
                known[signature] = plain_attributes(node.attribute, self.attributes, self.analysis.tensor)
            attributes = known[signature]
        return Call(
            op=operator.name,
            domain=operator.domain,
            version=self.opsets.get(operator.domain, 1),
            inputs=inputs,
            attributes=attributes,
            signature=signature,
            wanted=tuple([bool(name) for name in node.output]),
            alone=tuple([uses.count.get(name, 0) == 1 for name in node.input]),
            name=self.analysis.size_name(f"{self.prefix}{path}", f"{self.place}#{index}"),
        )

    def answer(self, operator: Operator, node: NodeProto, call: Call) -> Answer:
        """The rule's answer, computed once for equal calls.

        Identities of stored tensors do not make calls unequal, so an answer that passes some on is not remembered.
        """
        stored = any(tensor is not None and bool(tensor.stored) for tensor in call.inputs)
        overrides = self.analysis.overrides
        outside = overrides and (overrides.identities(call.inputs), call.activation, call.fallback)
        own = (call.domain, call.op, call.version, call.inputs, call.signature, call.wanted, call.alone)
        key = (own, stored, outside)
        found = self.analysis.answers.get(key)
        if found is not None:
            return found
        found = answer_of(self.analysis, operator, call, self.result(operator, call))
        if call.invented:
            self.analysis.inventions += 1
        elif call.inputs and not any(tensor.stored for tensor in found.outputs):
            self.analysis.answers[key] = found
        return found

    def result(self, operator: Operator, call: Call) -> Result | Uncounted:
        """What the rule says of a call."""
        try:
            return operator.rule(call)
        except Uncounted as reason:
            return reason
        except ShapeConflict as conflict:
            raise ModelError("E-SHAPE", str(conflict)) from None

    def serialized(self, attribute: AttributeProto) -> bytes:
        """An attribute as a part of a call's signature."""
        own: bytes = attribute.SerializeToString()
        bound = self.attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else None
        return own if bound is None else own + bound.SerializeToString()

    def owned(self, tensor: Tensor, identity: str) -> Tensor:
        """A constant that a node makes, registered as a stored tensor."""
        size = tensor.size
        if not tensor.constant or not tensor.shape or size is None:
            return tensor
        self.analysis.stored[identity] = size
        return replace(tensor, stored=frozenset({identity}))
