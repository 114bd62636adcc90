"""ai.onnx.ml: counts against scalar loops, shapes against the runtime and ONNX's node tests, trees to their leaves."""

import math
from typing import Any

import numpy as np
import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators.rule import Result, Uncounted
from nncomplexity.shapes import Tensor
from reference.calls import caller, operators_of, tensor
from reference.node_cases import agreeing_shapes
from reference.one_node import by_runtime
from reference.scalars import Scalars
from reference.totals import counted

FAMILIES = ("feature_encoding", "machine_learning", "support_vectors", "tree_ensemble")
RULES = operators_of(*FAMILIES)
run = caller(*FAMILIES, wanted=2)


def runtime(op: str, outputs: int, **attributes: Any) -> Any:
    """What onnxruntime computes on X."""
    return by_runtime(op, [X], outputs, domain="ai.onnx.ml", **attributes)


X = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)


def test_linear_regressor() -> None:
    weights, bias = np.linspace(-1, 1, 6), (0.5, -0.25)
    s = Scalars()
    y = [[s.sum(s.dot(row, weights[3 * t : 3 * t + 3]), bias[t]) for t in range(2)] for row in X]
    attributes = {"coefficients": tuple(weights.tolist()), "intercepts": bias, "targets": 2}
    result = run("LinearRegressor", tensor(5, 3), **attributes)
    assert np.allclose(y, runtime("LinearRegressor", 1, **attributes)[0], atol=1e-5)
    assert counted(result) == s.nonzero
    assert result.outputs[0].shape == (5, 2)
    assert run("LinearRegressor", tensor(3), **attributes).outputs[0].shape == (1, 2)


def test_linear_classifier() -> None:
    weights, bias = np.linspace(-1, 1, 12), (0.5, -0.25, 0.0, 1.0)
    s = Scalars()
    scores = [s.softmax([s.sum(s.dot(row, weights[3 * t : 3 * t + 3]), bias[t]) for t in range(4)]) for row in X]
    labels = [s.largest(row) for row in scores]
    attributes: dict[str, Any] = {"coefficients": tuple(weights.tolist()), "intercepts": bias}
    attributes |= {"classlabels_ints": (0, 1, 2, 3), "post_transform": "SOFTMAX"}
    result = run("LinearClassifier", tensor(5, 3), **attributes)
    found = runtime("LinearClassifier", 2, **attributes)
    assert found[0].tolist() == labels and np.allclose(scores, found[1], atol=1e-5)
    assert counted(result) == s.nonzero
    assert [(o.dtype, o.shape) for o in result.outputs] == [("int64", (5,)), ("float32", (5, 4))]
    two = run(
        "LinearClassifier", tensor(5, 3), coefficients=(1.0,) * 3, intercepts=(0.0,), classlabels_strings=("a", "b")
    )
    assert [(o.dtype, o.shape) for o in two.outputs] == [("string", (5,)), ("float32", (5, 2))]
    assert counted(two) == {"rm": 15, "mac": 15, "add": 10 + 5 + 5, "cmp": 5}


def test_scaler_and_normalizer() -> None:
    scaled = run("Scaler", tensor(5, 3, dtype="int64"), offset=(1.0,), scale=(1.0, 2.0, 3.0))
    assert counted(scaled) == {"add": 15, "rm": 15}
    assert (scaled.outputs[0].dtype, scaled.outputs[0].shape) == ("float32", (5, 3))
    for norm in ("MAX", "L1", "L2"):
        s = Scalars()
        for row in X:
            if norm == "L2":
                size = s.apply("sqrt", math.sqrt(s.total([s.product(x, x) for x in row])))
            else:
                sizes = [-x if s.less(x, 0) else x for x in row]
                size = s.total(sizes) if norm == "L1" else sizes[s.largest(sizes)]
            if s.less(size, 1e-30):
                size = 1.0
            [s.apply("division", x / size) for x in row]
        assert counted(run("Normalizer", tensor(5, 3), norm=norm)) == s.nonzero


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
def test_support_vector_regressor(kernel: str) -> None:
    vectors, weights, (gamma, coef, degree) = (
        np.linspace(-1, 2, 12).reshape(4, 3),
        (1.0, -2.0, 0.5, 3.0),
        (0.3, 0.1, 2.0),
    )
    s = Scalars()

    def measure(x: Any, y: Any) -> float:
        if kernel == "RBF":
            apart = [s.sum(a, -b) for a, b in zip(x, y, strict=True)]
            return s.apply("exp", math.exp(s.product(-gamma, s.total([s.product(d, d) for d in apart]))))
        match = s.dot(x, y)
        if kernel == "LINEAR":
            return match
        inner = s.sum(s.product(gamma, match), coef)
        return s.apply("pow", inner**degree) if kernel == "POLY" else s.apply("tanh", math.tanh(inner))

    y = [s.sum(s.dot([measure(row, vector) for vector in vectors], weights), 0.75) for row in X]
    attributes: dict[str, Any] = {"coefficients": weights, "support_vectors": tuple(vectors.ravel().tolist())}
    attributes |= {"n_supports": 4, "rho": (0.75,), "kernel_type": kernel, "kernel_params": (gamma, coef, degree)}
    result = run("SVMRegressor", tensor(5, 3), **attributes)
    assert np.allclose(y, runtime("SVMRegressor", 1, **attributes)[0][:, 0], atol=1e-4)
    assert counted(result) == s.nonzero
    assert result.outputs[0].shape == (5, 1)


@pytest.mark.parametrize("vectors", [(2, 3), (2, 1, 3), (1, 2, 3, 1)])
def test_support_vector_classifier(vectors: tuple[int, ...]) -> None:
    s, classes = Scalars(), len(vectors)
    for _ in range(5):
        [
            s.apply("exp", s.product(1, s.total([s.product(1, s.sum(1, 1)) for _ in range(3)])))
            for _ in range(sum(vectors))
        ]
        for i in range(classes):
            for j in range(i + 1, classes):
                score = s.sum(s.dot([1.0] * (vectors[i] + vectors[j]), [1.0] * (vectors[i] + vectors[j])), 1.0)
                s.sum(s.less(score, 0), 1)
        s.largest([0] * classes)
    pairs = classes * (classes - 1) // 2
    attributes: dict[str, Any] = {"coefficients": (1.0,) * (classes - 1) * sum(vectors), "rho": (0.5,) * pairs}
    attributes |= {"support_vectors": (0.5,) * 3 * sum(vectors), "vectors_per_class": vectors, "kernel_type": "RBF"}
    attributes |= {"kernel_params": (0.1, 0.0, 0.0), "classlabels_ints": tuple(range(classes))}
    result = run("SVMClassifier", tensor(5, 3), **attributes)
    assert counted(result) == s.nonzero
    assert [o.shape for o in result.outputs] == [array.shape for array in runtime("SVMClassifier", 2, **attributes)]
    with pytest.raises(Uncounted) as caught:
        run("SVMClassifier", tensor(5, 3), **attributes, prob_a=(1.0,), prob_b=(1.0,))
    assert caught.value.outputs[1].shape == (5, classes)


def forest(seed: int, trees: int) -> dict[str, Any]:
    """Random binary trees in the attributes of versions 1 and 3, node ids restarting in every tree."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {
        name: [] for name in ("treeids", "nodeids", "modes", "truenodeids", "falsenodeids", "values", "featureids")
    }
    for tree in range(trees):
        open_nodes, nodes = [0], {0: (0, 0)}
        for _ in range(int(rng.integers(0, 6))):
            node = open_nodes.pop(int(rng.integers(len(open_nodes))))
            nodes[node] = (len(nodes), len(nodes) + 1)
            for child in nodes[node]:
                nodes[child] = (0, 0)
                open_nodes.append(child)
        for node, (yes, no) in sorted(nodes.items()):
            row = (tree, node, "BRANCH_LEQ" if yes else "LEAF", yes, no, float(rng.normal()), int(rng.integers(3)))
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    return {f"nodes_{name}": tuple(values) for name, values in columns.items()}


def deepest(nodes: dict[str, Any], tree: int, node: int) -> int:
    """Comparisons on the longest path, by recursion."""
    at = list(zip(nodes["nodes_treeids"], nodes["nodes_nodeids"], strict=True)).index((tree, node))
    if nodes["nodes_modes"][at] == "LEAF":
        return 0
    return 1 + max(deepest(nodes, tree, nodes[f"nodes_{side}nodeids"][at]) for side in ("true", "false"))


@pytest.mark.parametrize("seed", range(5))
def test_tree_regressors_cost_their_longest_paths(seed: int) -> None:
    nodes = forest(seed, trees=7)
    leaves = [i for i, mode in enumerate(nodes["nodes_modes"]) if mode == "LEAF"]
    votes: dict[str, Any] = {"target_treeids": tuple(nodes["nodes_treeids"][i] for i in leaves)}
    votes |= {"target_nodeids": tuple(nodes["nodes_nodeids"][i] for i in leaves), "target_ids": (0,) * len(leaves)}
    votes |= {"target_weights": tuple(float(i) for i in leaves), "n_targets": 1}
    result = run("TreeEnsembleRegressor", tensor(5, 3), **nodes, **votes, base_values=(0.5,))
    depth = sum(deepest(nodes, tree, 0) for tree in range(7))
    expected = {"cmp": 5 * depth, "add": 5 * (7 - 1) + 5}
    assert counted(result) == {name: times for name, times in expected.items() if times}
    assert result.outputs[0].shape == runtime("TreeEnsembleRegressor", 1, **nodes, **votes)[0].shape
    averaged = run("TreeEnsembleRegressor", tensor(5, 3), **nodes, **votes, aggregate_function="AVERAGE")
    assert counted(averaged)["rm"] == 5


STUMP: dict[str, Any] = {
    "nodes_treeids": (0, 0, 0),
    "nodes_nodeids": (0, 1, 2),
    "nodes_featureids": (0, 0, 0),
    "nodes_values": (0.5, 0.0, 0.0),
    "nodes_modes": ("BRANCH_LEQ", "LEAF", "LEAF"),
    "nodes_truenodeids": (1, 0, 0),
    "nodes_falsenodeids": (2, 0, 0),
}


def test_tree_classifiers_join_votes_and_pick_a_label() -> None:
    votes = {
        "class_treeids": (0, 0),
        "class_nodeids": (1, 2),
        "class_weights": (0.3, 0.7),
        "classlabels_int64s": (4, 9),
    }
    shared = run("TreeEnsembleClassifier", tensor(5, 3), **STUMP, **votes, class_ids=(0, 0))
    assert counted(shared) == {"cmp": 5 + 5, "add": 5}
    assert [(o.dtype, o.shape) for o in shared.outputs] == [("int64", (5,)), ("float32", (5, 2))]
    many = {
        "class_treeids": (0,) * 4,
        "class_nodeids": (1, 1, 2, 2),
        "class_ids": (0, 1, 0, 1),
        "class_weights": (1.0,) * 4,
    }
    apart = run("TreeEnsembleClassifier", tensor(5, 3), **STUMP, **many, classlabels_strings=("a", "b"))
    assert counted(apart) == {"cmp": 5 + 5}
    free = run("TreeEnsembleClassifier", tensor(symbol("rows"), 3), **STUMP, **votes, class_ids=(0, 0))
    assert {name: substitute(size, {"rows": 5}) for name, size in counted(free).items()} == counted(shared)


def test_tree_ensembles_of_version_5() -> None:
    nodes = {"nodes_truenodeids": (1, 0, 2), "nodes_falsenodeids": (1, 1, 2), "nodes_trueleafs": (0, 1, 1)}
    nodes |= {"nodes_falseleafs": (1, 1, 1)}
    plain = run("TreeEnsemble", tensor(5, 3, dtype="float64"), tree_roots=(0, 2), n_targets=1, **nodes)
    assert counted(plain) == {"cmp": 5 * 2, "add": 5}
    assert (plain.outputs[0].dtype, plain.outputs[0].shape) == ("float64", (5, 1))
    sets = tensor(5, value=(1.0, 2.0, 3.0, math.nan, 7.0))
    modes = tensor(3, dtype="uint8", value=(6, 6, 0))
    tested = run("TreeEnsemble", tensor(5, 3), tree_roots=(0,), membership_values=sets, nodes_modes=modes, **nodes)
    assert counted(tested) == {"cmp": 5 * (3 + 1)}
    with pytest.raises(Uncounted) as caught:
        run("TreeEnsemble", tensor(5, 3), n_targets=2)
    assert caught.value.reason == "the trees are not given as attributes"
    assert caught.value.outputs[0].shape == (5, 2)


def test_encoders_are_free_and_shaped() -> None:
    expected: list[tuple[Result, Any, Any]] = [
        (run("ArrayFeatureExtractor", tensor(5, 3), tensor(1, 2)), "float32", (5, 2)),
        (run("ArrayFeatureExtractor", tensor(3), tensor(2)), "float32", (1, 2)),
        (run("FeatureVectorizer", tensor(5, 3), tensor(5, 4, dtype="int64")), "float32", (5, 7)),
        (run("OneHotEncoder", tensor(5, 3), cats_int64s=(1, 2)), "float32", (5, 3, 2)),
        (run("LabelEncoder", tensor(5, dtype="string")), "int64", (5,)),
        (run("LabelEncoder", tensor(5, dtype="int64"), values_floats=(1.0,)), "float32", (5,)),
        (run("CategoryMapper", tensor(5, dtype="int64"), default_string="a"), "string", (5,)),
        (run("CastMap", Tensor(), map_form="SPARSE", max_map=6), "float32", (1, 6)),
        (run("CastMap", Tensor(), cast_to="TO_INT64"), "int64", (1, symbol("n.count"))),
        (run("DictVectorizer", Tensor(), string_vocabulary=("a", "b")), None, (1, 2)),
    ]
    for result, dtype, shape in expected:
        assert result.free in ("data movement", "look-up in a table")
        assert (result.outputs[0].dtype, result.outputs[0].shape) == (dtype, shape)
    zipped = run("ZipMap", tensor(5, 2), classlabels_int64s=(0, 1))
    assert (zipped.outputs[0].length, zipped.free) == (5, "data movement")
    assert counted(run("Binarizer", tensor(5, 3))) == counted(run("Imputer", tensor(5, 3))) == {"cmp": 15}


def test_shapes_are_those_of_the_node_tests() -> None:
    seen = agreeing_shapes(RULES)
    assert seen.keys() == {"ArrayFeatureExtractor", "Binarizer", "LabelEncoder", "TreeEnsemble"}


@pytest.mark.parametrize(
    ("op", "attributes", "text"),
    [
        ("LinearRegressor", {"coefficients": (1.0,) * 5}, "5 coefficients, expected 1 models of 3 features"),
        ("LinearRegressor", {"targets": 0}, "attribute 'targets' is 0, expected 1 or more"),
        ("CastMap", {"map_form": "SPARSE", "max_map": -1}, "attribute 'max_map' is -1, expected 1 or more"),
        ("OneHotEncoder", {}, "attribute 'cats_int64s' or 'cats_strings' is required, both are absent"),
        ("Scaler", {"scale": (1.0, 2.0)}, "attribute 'scale' has 2 numbers, expected 1 or 3"),
        ("Normalizer", {"norm": "L3"}, "attribute 'norm' is 'L3', expected MAX, L1 or L2"),
        ("SVMRegressor", {"kernel_type": "COSINE"}, "kernel_type 'COSINE' is none of LINEAR, POLY, RBF, SIGMOID"),
        (
            "SVMRegressor",
            {"n_supports": 2, "support_vectors": (1.0,)},
            "1 numbers, expected 2 support vectors of 3 features",
        ),
        (
            "TreeEnsembleRegressor",
            {**STUMP, "nodes_truenodeids": (0, 0, 0)},
            "1 of 1 branches are reached from no root of a tree",
        ),
        (
            "TreeEnsembleRegressor",
            {**STUMP, "nodes_truenodeids": (7, 0, 0)},
            "tree 0 has a branch to node 7, which does not exist",
        ),
        (
            "TreeEnsembleRegressor",
            {**STUMP, "nodes_treeids": (0,)},
            "attribute 'nodes_treeids' has 1 entries, expected 3",
        ),
    ],
)
def test_contradictions_are_refused_with_what_was_found(op: str, attributes: Any, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        run(op, tensor(5, 3), **attributes)
    assert caught.value.fact == text
