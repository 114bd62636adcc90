"""Decision trees of ai.onnx.ml: comparisons down the longest path of every tree, then the leaves' votes summed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ..accounting import Signal
from ..arithmetic import Arithmetic
from ..errors import quoted
from ..expressions import Size
from ..ops import Role
from ..shapes import Tensor
from .machine_learning import DOMAIN, FLOAT, class_labels, feature_matrix, numbers, transform_of, transformed
from .rule import Call, Operator, Result, Steps

__all__ = ["OPERATORS"]

AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
Pair = tuple[int, int]
Node = TypeVar("Node", int, Pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """What one row costs at most. comparisons: the longest paths, summed; votes: leaf values that are joined."""

    comparisons: int
    votes: int
    trees: int


def longest_path(
    call: Call, root: Node, children: Mapping[Node, tuple[Node, Node]], cost: Mapping[Node, int]
) -> tuple[int, int]:
    """Comparisons on the dearest way from a root to a leaf, and branches reached; a node reached twice is no tree."""
    longest, branches, seen = 0, 0, {root}
    frontier: list[tuple[Node, int]] = [(root, 0)]
    while frontier:
        node, spent = frontier.pop()
        if node in children:
            spent, branches = spent + cost.get(node, 1), branches + 1
        longest = max(longest, spent)
        for child in set(children.get(node, ())):
            if child in seen:
                call.refuse("E-TREE-CYCLE", f"tree node {child} is reached twice")
            seen.add(child)
            frontier.append((child, spent))
    return longest, branches


def column(call: Call, name: str, length: int) -> tuple[int, ...]:
    """A list of integers with one entry per node."""
    found = call.integers(name) or ()
    if len(found) != length:
        call.refuse("E-TREE-LENGTH", f"attribute '{name}' has {len(found)} entries, expected {length}")
    return found


def labelled_forest(call: Call, prefix: str) -> Forest:
    """Trees whose nodes carry a tree id and a node id, with any number of votes at a leaf (versions 1 and 3)."""
    modes = call.texts("nodes_modes")
    if not modes:
        call.unknown("the trees are not given as attributes", *ensemble_outputs(call))
    ids = list(zip(column(call, "nodes_treeids", len(modes)), column(call, "nodes_nodeids", len(modes)), strict=True))
    yes, no = column(call, "nodes_truenodeids", len(modes)), column(call, "nodes_falsenodeids", len(modes))
    children: dict[Pair, tuple[Pair, Pair]] = {
        (tree, node): ((tree, yes[i]), (tree, no[i])) for i, (tree, node) in enumerate(ids) if modes[i] != "LEAF"
    }
    reached = {child for pair in children.values() for child in pair}
    roots: dict[int, Pair] = {}
    for identity in ids:
        if identity not in reached:
            roots.setdefault(identity[0], identity)
    for tree, node in reached.difference(ids):
        call.refuse("E-TREE-NODE", f"tree {tree} has a branch to node {node}, which does not exist")
    for tree in {tree for tree, _ in ids}.difference(roots):
        call.refuse("E-TREE-CYCLE", f"tree {tree} has no root: every node is a branch of another")
    owners = zip(call.integers(f"{prefix}_treeids") or (), call.integers(f"{prefix}_nodeids") or (), strict=False)
    most: dict[int, int] = {}
    for (tree, _), count in Counter(owners).items():
        most[tree] = max(most.get(tree, 0), count)
    paths = [longest_path(call, root, children, {}) for root in roots.values()]
    lost = len(children) - sum(branches for _, branches in paths)
    if lost:
        call.refuse("E-TREE-CYCLE", f"{lost} of {len(children)} branches are reached from no root of a tree")
    return Forest(comparisons=sum(path for path, _ in paths), votes=sum(most.values()), trees=len(roots))


def indexed_forest(call: Call) -> Forest:
    """Trees of interior nodes by position, one vote per leaf (version 5); set membership costs its members."""
    roots = call.integers("tree_roots")
    if not roots:
        call.unknown("the trees are not given as attributes", *ensemble_outputs(call))
    yes = call.integers("nodes_truenodeids") or ()
    no = column(call, "nodes_falsenodeids", len(yes))
    leaf_yes, leaf_no = column(call, "nodes_trueleafs", len(yes)), column(call, "nodes_falseleafs", len(yes))
    children: dict[int, tuple[int, int]] = {}
    for i in range(len(yes)):
        # Leaves are numbered apart from the nodes: as negative numbers, one for every end of a branch.
        one, other = (-2 * i - 1 if leaf_yes[i] else yes[i]), (-2 * i - 2 if leaf_no[i] else no[i])
        if not (leaf_yes[i] and leaf_no[i] and yes[i] == no[i]):
            children[i] = (one, other)
        if max(one, other) >= len(yes) or (min(yes[i], no[i]) < 0):
            call.refuse("E-TREE-NODE", f"node {i} leads to {yes[i]} and {no[i]}, expected 0..{len(yes) - 1}")
    for root in roots:
        if not 0 <= root < len(yes):
            call.refuse("E-TREE-NODE", f"tree root {root} is outside 0..{len(yes) - 1}")
    costs = membership_costs(call)
    depth = sum(longest_path(call, root, children, costs)[0] for root in roots)
    return Forest(comparisons=depth, votes=len(roots), trees=len(roots))


def membership_costs(call: Call) -> dict[int, int]:
    """Comparisons of the nodes that test membership in a set: one per member."""
    members, modes = call.attributes.get("membership_values"), call.attributes.get("nodes_modes")
    if not isinstance(members, Tensor) or members.size == 0:
        return {}
    if members.value is None or not isinstance(modes, Tensor) or modes.value is None:
        call.unknown("the sets that nodes test membership in are too many to read", *ensemble_outputs(call))
    sets = [0]
    for value in members.value:
        if value != value:
            sets.append(0)
        else:
            sets[-1] += 1
    testing = [i for i, mode in enumerate(modes.value) if mode == 6]
    return dict(zip(testing, sets, strict=False))


def grown(m: Arithmetic[Signal], forest: Forest, rows: Size, columns: int, aggregate: str, number: Tensor) -> None:
    """The comparisons, then the votes joined in every column: votes - columns times a row."""
    x = m.variable(rows * forest.comparisons, number.number)
    m.compare(x, m.constant(rows * forest.comparisons, number.number), role=Role.ELEMENTWISE)
    joins = rows * max(forest.votes - columns, 0)
    votes = m.variable(joins, FLOAT)
    if aggregate in ("MIN", "MAX"):
        m.compare(votes, m.constant(joins, FLOAT), role=Role.REDUCTION)
    else:
        m.add(votes, m.constant(joins, FLOAT), role=Role.REDUCTION)
    if aggregate == "AVERAGE":
        m.multiply(m.variable(rows * columns, FLOAT), m.constant(1, FLOAT), role=Role.REDUCTION)


def aggregate_of(call: Call) -> str:
    """The attribute aggregate_function, a name or a number."""
    found = call.attributes.get("aggregate_function", "SUM")
    if isinstance(found, int):
        found = AGGREGATES[found] if 0 <= found < len(AGGREGATES) else str(found)
    if not isinstance(found, str) or found not in AGGREGATES:
        call.refuse("E-AGGREGATE", f"aggregate_function '{quoted(found)}' is none of {', '.join(AGGREGATES)}")
    return found


def targets(call: Call) -> int:
    """The attribute n_targets."""
    count = call.integer("n_targets", 1)
    if count < 1:
        call.refuse("E-TARGETS", f"attribute 'n_targets' is {count}, expected 1 or more")
    return count


def ensemble_outputs(call: Call) -> tuple[Tensor, ...]:
    """Labels and scores of a classifier, or the regressed values."""
    rows, _ = feature_matrix(call)
    if call.op == "TreeEnsembleClassifier":
        classes, dtype = class_labels(call, "classlabels_int64s")
        labels = Tensor(dtype=dtype, shape=(rows,))
        return (labels, Tensor(dtype="float32", shape=(rows, classes)))[: max(1, len(call.wanted))]
    values = Tensor(dtype="float32", shape=(rows, targets(call)))
    return (replace(values, dtype=call.input(0).dtype) if call.op == "TreeEnsemble" else values,)


def regressor(call: Call) -> Result:
    """Y = post_transform(aggregate of the leaves reached + base values).

    Counting per row: the longest path of every tree in comparisons, an upper bound no input exceeds; votes joined in
    each target; one addition per base value; a product per target for an average.
    """
    rows, _ = feature_matrix(call)
    columns, aggregate, transform = targets(call), aggregate_of(call), transform_of(call)
    forest = indexed_forest(call) if call.op == "TreeEnsemble" else labelled_forest(call, "target")
    return counted(call, forest, rows, (columns, columns), aggregate, transform)


def classifier(call: Call) -> Result:
    """Z = post_transform(sum of the votes reached + base values), Y the label of the greatest score.

    Counting as for a regressor, and classes - 1 comparisons per row. Two classes whose votes all go to one column take
    the other score by one subtraction.
    """
    rows, _ = feature_matrix(call)
    classes, _ = class_labels(call, "classlabels_int64s")
    voted = len(set(call.integers("class_ids") or ()))
    transform = transform_of(call)
    forest = labelled_forest(call, "class")
    return counted(call, forest, rows, (max(voted, 1), classes), "SUM", transform)


def counted(call: Call, forest: Forest, rows: Size, columns: Sequence[int], aggregate: str, transform: str) -> Result:
    """The result of a forest with so many columns voted for and so many given out."""
    voted, given = columns
    bases = numbers(call, "base_values") + numbers(call, "base_values_as_tensor")

    def text(m: Arithmetic[Signal]) -> None:
        grown(m, forest, rows, voted, aggregate, call.input(0))
        m.add(m.variable(rows * bases, FLOAT), m.constant(1, FLOAT), role=Role.BIAS)
        if voted == 1 and given == 2:
            m.subtract(m.constant(rows, FLOAT), m.variable(rows, FLOAT), role=Role.ELEMENTWISE)
        transformed(m, transform, rows, given)
        if call.op == "TreeEnsembleClassifier":
            m.greatest(m.variable(rows * given, FLOAT), terms=given, outputs=rows, role=Role.REDUCTION)

    return Result(outputs=ensemble_outputs(call), work=Steps(text=text), kind="tree ensemble")


NODES = (
    "nodes_falsenodeids nodes_featureids nodes_hitrates nodes_hitrates_as_tensor nodes_missing_value_tracks_true "
    "nodes_modes nodes_nodeids nodes_treeids nodes_truenodeids nodes_values nodes_values_as_tensor"
)

OPERATORS = (
    Operator(
        name="TreeEnsemble",
        rule=regressor,
        attributes="aggregate_function leaf_targetids leaf_weights membership_values n_targets nodes_falseleafs "
        "nodes_falsenodeids nodes_featureids nodes_hitrates nodes_missing_value_tracks_true nodes_modes nodes_splits "
        "nodes_trueleafs nodes_truenodeids post_transform tree_roots",
        domain=DOMAIN,
    ),
    Operator(
        name="TreeEnsembleClassifier",
        rule=classifier,
        outputs=(2, 2),
        attributes=f"{NODES} base_values base_values_as_tensor class_ids class_nodeids class_treeids class_weights "
        "class_weights_as_tensor classlabels_int64s classlabels_strings post_transform",
        domain=DOMAIN,
    ),
    Operator(
        name="TreeEnsembleRegressor",
        rule=regressor,
        attributes=f"{NODES} aggregate_function base_values base_values_as_tensor n_targets post_transform target_ids "
        "target_nodeids target_treeids target_weights target_weights_as_tensor",
        domain=DOMAIN,
    ),
)
