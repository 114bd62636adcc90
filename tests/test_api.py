"""The Python interface: `nc.analyze` and what a report does for its reader."""

from __future__ import annotations

import copy
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nncomplexity as nc
import onnx
import pytest
from nncomplexity.report import Totals
from onnx import TensorProto, helper

Build = Callable[..., onnx.ModelProto]
Save = Callable[..., str]


def test_a_path_bytes_and_a_model_give_the_same_numbers(dense: onnx.ModelProto, save: Save) -> None:
    path = save(dense)
    sources = [path, Path(path), dense.SerializeToString(), dense]
    reports = [nc.analyze(source, dims={"batch": 2}, quant="w8a8") for source in sources]
    assert {report.totals.rm for report in reports} == {100}
    assert [report.network.path for report in reports] == [path, path, "bytes", "ModelProto"]


def test_another_source_is_refused() -> None:
    message = "ModelProto: expected a path, bytes or a ModelProto, found int [E-MODEL-KIND]"
    with pytest.raises(nc.UsageError, match=f"^{re.escape(message)}$"):
        nc.analyze(7)  # type: ignore[arg-type]


def test_dims_shapes_and_values_bind(dense: onnx.ModelProto, build: Build) -> None:
    assert str(nc.analyze(dense).totals.rm) == "50*batch"
    assert nc.analyze(dense, dims={"batch": 3}).totals.rm == 150
    assert nc.analyze(dense, shapes={"x": [4, 10]}).totals.rm == 200
    nodes = [helper.make_node("Reshape", ["x", "s"], ["r"]), helper.make_node("MatMul", ["r", "W"], ["y"])]
    model = build(nodes, {"x": [6]}, ["y"], {"W": [3, 5]})
    model.graph.input.append(helper.make_tensor_value_info("s", TensorProto.INT64, [2]))
    assert nc.analyze(model, values={"s": [2, 3]}).totals.rm == 30


def test_conventions(dense: onnx.ModelProto) -> None:
    paper, exact = (nc.analyze(dense, dims={"batch": 1}, quant="w8a8", convention=name) for name in ("paper", "exact"))
    assert paper.totals.bop == 4200
    assert isinstance(exact.totals.bop, int) and exact.totals.bop < 4200, "balanced trees are cheaper"
    with pytest.raises(nc.UsageError, match=r"^convention 'x' is unknown; there are paper and exact \[E-CONVENTION\]$"):
        nc.analyze(dense, convention="x")
    message = "ModelProto: the exact convention needs integers; bind with --dim: batch [E-EXACT-SYMBOL]"
    with pytest.raises(nc.UsageError, match=f"^{re.escape(message)}$"):
        nc.analyze(dense, convention="exact")


def test_rows_by_name_and_by_path(dense: onnx.ModelProto) -> None:
    report = nc.analyze(dense, dims={"batch": 1}, quant="w8a8")
    assert report["product"].rm == 50 and report["product"].name == "product"
    assert report["relu"].metrics["cmp"] == 5
    assert report._ipython_key_completions_() == ["product", "bias", "relu"]
    with pytest.raises(KeyError, match=r"no row 'prodct'; did you mean 'product'\?"):
        report["prodct"]
    with pytest.raises(AttributeError, match=r"^a report row has no 'macs'$"):
        _ = report["product"].macs
    assert repr(report["bias"]) == "<bias (Add): flops=5, bop=100, nabs=100, add=5, params=5, weight_bits=40, " + (
        f"activation_bits=40, peak_activation_bits={report['bias'].peak_activation_bits}>"
    )


def test_totals_are_a_mapping_and_attributes(dense: onnx.ModelProto) -> None:
    totals = nc.analyze(dense, dims={"batch": 1}).totals
    assert totals.params == totals["params"] == 55
    assert len(totals) == len(list(totals)) == 17 and "nabs" in totals and "rm" in dir(totals)
    with pytest.raises(AttributeError, match=r"^no metric 'nab'; did you mean 'nabs'\?$"):
        _ = totals.nab


def test_records_are_flat_and_plain(dense: onnx.ModelProto) -> None:
    records = nc.analyze(dense).to_records()
    assert [record["name"] for record in records] == ["product", "bias", "relu"]
    assert records[0] | {"rm": "50*batch", "mac": "50*batch", "params": 50, "nabs": None} == records[0]


def test_pandas_is_imported_when_asked_for(dense: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = "to_pandas needs pandas: pip install pandas; to_records needs nothing [E-PANDAS]"
    with pytest.raises(nc.UsageError, match=f"^{re.escape(message)}$"):
        nc.analyze(dense).to_pandas()


def test_reports_rows_and_totals_can_be_copied(dense: onnx.ModelProto, save: Save) -> None:
    """Attributes that are metrics must not make copying ask for metrics of a half-made object."""
    report = nc.analyze(save(dense), dims={"batch": 1}, quant="w8a8")
    assert copy.deepcopy(report).totals == report.totals
    assert copy.copy(report["product"]).rm == copy.deepcopy(report["product"]).rm == 50
    assert pickle.loads(pickle.dumps(report.totals)).rm == 50
    with pytest.raises(AttributeError):
        _ = Totals.__new__(Totals).rm
    with pytest.raises(AttributeError):
        _ = type(report["product"]).__new__(type(report["product"])).rm


def test_errors_keep_their_place_when_pickled() -> None:
    error = nc.ModelError("E-X", "a fact").at("node 'n' (Op)").at("m.onnx")
    assert str(pickle.loads(pickle.dumps(error))) == "m.onnx: node 'n' (Op): a fact [E-X]"


@pytest.mark.parametrize("size", [10, 80, 500, 5000])
def test_an_error_is_one_line_of_at_most_300_characters(size: int) -> None:
    error = nc.ModelError("E-X", "found\n" + "f" * size).at("node '" + "n" * size + "'").at("/p" * size)
    line = f"nncomplexity: error: {error}"
    assert len(line) <= 300 and line.isprintable() and line.endswith(" [E-X]")
    assert "found\\n" in line, "the fact is not what a long path pushes out"


def test_a_notebook_gets_text_and_markdown(dense: onnx.ModelProto) -> None:
    report = nc.analyze(dense, dims={"batch": 1}, quant="w8a8")
    bundle = report._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/markdown"}
    assert bundle["text/plain"] == repr(report) == str(report)
    assert "\x1b" not in bundle["text/plain"]


def test_public_names_are_there_and_no_others() -> None:
    assert {"analyze", "Report", "ModelError", "__version__"} <= set(dir(nc))
    for name in nc.__all__:
        assert getattr(nc, name) is not None
    with pytest.raises(AttributeError, match=r"^module 'nncomplexity' has no attribute 'analyse'$"):
        _ = nc.analyse  # type: ignore[attr-defined]
