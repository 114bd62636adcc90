"""Process time and memory of `nncomplexity report -f json` beside its peers, on the same files in one run.

    python benchmarks/compare.py [FILE.onnx ...] [--runs 5] [--megabytes 100]

Peers are used where they are installed in the running environment: onnx (always), onnx-tool, onnxsim. Without files,
the CNNs that the onnx package carries are taken and one network of so many megabytes of weights is made. Every figure
is of a whole process as the operating system accounts it: the median of the runs, and its ratio to `onnx.load`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

LOAD = "import onnx, sys; onnx.load(sys.argv[1])"
TOOL = "import onnx_tool, sys; m = onnx_tool.Model(sys.argv[1]); m.graph.shape_infer(None); m.graph.profile()"
SIMPLIFIER = "import onnxsim.model_info, onnx, sys; onnxsim.model_info.ModelInfo(onnx.load(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: CPU and wall seconds, peak resident mebibytes, exit code."""

    cpu: float
    wall: float
    memory: float
    code: int


def measured(command: list[str]) -> Run:
    """Run a command with its output thrown away."""
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def commands() -> dict[str, list[str]]:
    """The tools that are here, by name; the file's path is appended."""
    found = {
        "onnx.load": [sys.executable, "-c", LOAD],
        "nncomplexity": [sys.executable, "-m", "nncomplexity", "report", "-q", "-f", "json"],
    }
    if importlib.util.find_spec("onnx_tool"):
        found["onnx-tool"] = [sys.executable, "-c", TOOL]
    if importlib.util.find_spec("onnxsim"):
        found["onnxsim"] = [sys.executable, "-c", SIMPLIFIER]
    return found


def made(folder: Path, megabytes: int) -> Path:
    """A plain convolutional network of so many megabytes of float weights."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    channels = 512
    layers = max(1, megabytes * 1_000_000 // (channels * channels * 9 * 4))
    random = np.random.default_rng(0)
    nodes, weights, name = [], [], "x"
    for index in range(layers):
        kernel = random.standard_normal((channels, channels, 3, 3), dtype=np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{index}"))
        nodes.append(helper.make_node("Conv", [name, f"w{index}"], [f"c{index}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"]))
        name = f"r{index}"
    shape = [1, channels, 14, 14]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        weights,
    )
    path = folder / f"made_{megabytes}MB.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def shipped() -> list[Path]:
    """Three of the networks in the onnx package."""
    spec = importlib.util.find_spec("onnx")
    assert spec is not None and spec.origin is not None
    light = Path(spec.origin).parent / "backend/test/data/light"
    return [light / f"light_{name}.onnx" for name in ("squeezenet", "resnet50", "densenet121")]


def main() -> None:
    """Measure, print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = arguments.files or [*shipped(), made(Path(folder), arguments.megabytes)]
        rows = [row for file in files for row in compared(file, arguments.runs)]
    headers = ["file", "tool", "CPU s", "wall s", "peak MiB", "CPU / onnx.load", "exit"]
    print(tabulate(rows, headers=headers, floatfmt=("", "", ".2f", ".2f", ".0f", ".2f", "")))


def compared(file: Path, runs: int) -> list[list[object]]:
    """One row a tool; the tools take turns so that a drift of the machine meets them alike."""
    tools = commands()
    results: dict[str, list[Run]] = {name: [] for name in tools}
    for _ in range(runs + 1):
        for name, command in tools.items():
            results[name].append(measured([*command, str(file)]))
    # The first round warms the file cache and is not counted.
    medians = {
        name: [statistics.median(getattr(r, f) for r in found[1:]) for f in ("cpu", "wall", "memory")]
        for name, found in results.items()
    }
    base = medians["onnx.load"][0]
    return [[file.name, name, *medians[name], medians[name][0] / base, results[name][-1].code] for name in tools]


if __name__ == "__main__":
    main()
