"""Train the two example equalisers and write them as ONNX files.

Needs PyTorch and onnxscript besides the dependencies of nncomplexity::

    pip install torch==2.13.0 onnxscript
    python examples/train_equaliser.py

Channel
-------
A dual-polarisation 16-QAM link, in normalised units (time in symbol periods, mean power 1 in each polarisation).
With ``s_p[n]`` the unit-power symbols of polarisation ``p`` in {x, y}, and ``h`` the root-raised-cosine pulse of
roll-off ``ROLL_OFF``::

    u_p(t)  = sum_n s_p[n] h(t - n)                                                     transmitter
    u_p     <- F^-1{ exp(-j (B / 2K) w^2) F{u_p} }                                      dispersion, step k of K
    u_p(t)  <- u_p(t) exp(+j (PHI / K) (|u_x(t)|^2 + |u_y(t)|^2) / 2)                   nonlinearity, step k of K
    r_p[n]  = (h * u_p)(n) + v_p[n],    v_p[n] complex Gaussian of variance 10^(-SNR/10)  receiver

``w`` is the angular frequency in radians per symbol period. ``B = |beta_2| L / T^2`` is the accumulated dispersion of
the link (``DISPERSION``), ``PHI`` the mean nonlinear phase rotation in radians (``NONLINEAR_PHASE``), ``K`` the number
of split steps (``STEPS``). The waveform is simulated at ``OVERSAMPLING`` samples per symbol over one long period, and
the receiver does no equalisation of its own: ``r_p[n]`` is what every equaliser sees.

Equalisers
----------
Both networks read a window of ``WINDOW`` received symbols, four real numbers each (I and Q of x, I and Q of y), and
return I and Q of the x polarisation for the ``OUTPUTS`` symbols in its middle. The teacher is trained on the sent
symbols, the student on the mean of two squared errors: against the sent symbols and against the teacher's outputs.
"""

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

DISPERSION = 0.4
NONLINEAR_PHASE = 0.5
STEPS = 8
SNR_DB = 20.0
ROLL_OFF = 0.1
OVERSAMPLING = 2

WINDOW = 41
OUTPUTS = 31
MARGIN = (WINDOW - OUTPUTS) // 2
TAPS = 41

SEED_TRAIN, SEED_TEST, SEED_WEIGHTS = 1, 2, 3
TRAIN_WINDOWS, TEST_WINDOWS, BATCH = 2048, 8192, 128
LEARNING_RATE = 5e-3

OPSET = 20
KEPT_METADATA = ("pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy")

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


def channel(symbols: int, rng: np.random.Generator) -> tuple[Complex, Complex]:
    """Sent and received symbols of both polarisations, each of shape (2, symbols); equations in the module's text."""
    levels = 2.0 * rng.integers(0, 4, (2, 2, symbols)) - 3.0
    sent: Complex = (levels[0] + 1j * levels[1]) / np.sqrt(10.0)

    frequency = np.abs(np.fft.fftfreq(symbols * OVERSAMPLING, 1 / OVERSAMPLING))
    edge = np.clip((frequency - (1 - ROLL_OFF) / 2) / ROLL_OFF, 0.0, 1.0)
    pulse = np.sqrt((1 + np.cos(np.pi * edge)) / 2)
    dispersion = np.exp(-0.5j * DISPERSION / STEPS * (2 * np.pi * frequency) ** 2)

    impulses = np.zeros((2, symbols * OVERSAMPLING), np.complex128)
    impulses[:, ::OVERSAMPLING] = sent * OVERSAMPLING
    spectrum = np.fft.fft(impulses) * pulse
    for _ in range(STEPS):
        wave = np.fft.ifft(spectrum * dispersion)
        power = (np.abs(wave) ** 2).sum(axis=0) / 2
        spectrum = np.fft.fft(wave * np.exp(1j * NONLINEAR_PHASE / STEPS * power))
    received = np.fft.ifft(spectrum * pulse)[:, ::OVERSAMPLING]

    noise = rng.standard_normal(received.shape) + 1j * rng.standard_normal(received.shape)
    return sent, received + np.sqrt(10 ** (-SNR_DB / 10) / 2) * noise


def features(received: Complex) -> Real:
    """The four real numbers of each received symbol: I and Q of x, I and Q of y. Shape (4, symbols)."""
    return np.stack([received[0].real, received[0].imag, received[1].real, received[1].imag])


def targets(sent: Complex) -> Real:
    """I and Q of the x polarisation. Shape (symbols, 2)."""
    return np.stack([sent[0].real, sent[0].imag], axis=1)


def windows(sent: Complex, received: Complex) -> tuple[Tensor, Tensor]:
    """Inputs (windows, 4, WINDOW) and targets (windows, OUTPUTS, 2); the targets of neighbouring windows adjoin."""
    starts = np.arange(0, sent.shape[1] - OUTPUTS + 1, OUTPUTS)[:, None]
    inputs = features(received).take(starts + np.arange(-MARGIN, WINDOW - MARGIN), axis=1, mode="wrap")
    outputs = targets(sent)[starts + np.arange(OUTPUTS)]
    inputs = np.ascontiguousarray(inputs.transpose(1, 0, 2), np.float32)
    return torch.from_numpy(inputs), torch.from_numpy(outputs.astype(np.float32))


def bit_error_rate(estimate: Real, sent: Real) -> float:
    """Nearest-level decision and Gray mapping, two bits for each of I and Q."""

    def gray(values: Real) -> npt.NDArray[np.int64]:
        level: npt.NDArray[np.int64] = np.clip(np.rint((values * np.sqrt(10.0) + 3) / 2), 0, 3).astype(np.int64)
        code: npt.NDArray[np.int64] = level ^ (level >> 1)
        return code

    wrong = gray(estimate) ^ gray(sent)
    return float(((wrong & 1) + (wrong >> 1)).mean() / 2)


def one_tap(train: tuple[Complex, Complex], test: tuple[Complex, Complex]) -> Real:
    """No equaliser: one complex coefficient, fitted by least squares, that sets gain and phase."""
    gain = np.vdot(train[1][0], train[0][0]) / np.vdot(train[1][0], train[1][0])
    return targets(gain * test[1])


def linear(train: tuple[Complex, Complex], test: tuple[Complex, Complex]) -> Real:
    """Least-squares FIR of TAPS taps on all four real inputs, so that any complex 2x2 filter is within its reach."""
    lags = range(-(TAPS // 2), TAPS // 2 + 1)
    sent, received = train
    design = np.concatenate([np.roll(features(received), lag, axis=1) for lag in lags]).T
    weights = np.linalg.lstsq(design, targets(sent), rcond=None)[0].reshape(TAPS, 4, 2)
    inputs = features(test[1])
    estimate: Real = sum(
        (np.roll(inputs, lag, axis=1).T @ weight for lag, weight in zip(lags, weights, strict=True)),
        np.zeros((inputs.shape[1], 2)),
    )
    return estimate


class Teacher(nn.Module):
    """Convolution, bidirectional LSTM, dense: (batch, 4, WINDOW) to (batch, OUTPUTS, 2)."""

    def __init__(self, filters: int = 32, hidden: int = 24) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, filters, WINDOW - OUTPUTS + 1)
        self.act = nn.LeakyReLU(0.2)
        self.lstm = nn.LSTM(filters, hidden, bidirectional=True)
        self.head = nn.Linear(2 * hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        steps = self.act(self.conv(x)).permute(2, 0, 1)
        outputs: Tensor = self.head(self.lstm(steps)[0])
        return outputs.permute(1, 0, 2)


class Student(nn.Module):
    """Three convolutions, the second dilated, and a dense head; same inputs and outputs as the teacher."""

    def __init__(self, filters: int = 24) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(4, filters, WINDOW - OUTPUTS + 1)
        self.act1 = nn.LeakyReLU(0.2)
        self.conv2 = nn.Conv1d(filters, filters, 5, dilation=2, padding=4)
        self.act2 = nn.LeakyReLU(0.2)
        self.conv3 = nn.Conv1d(filters, filters, 3, padding=1)
        self.act3 = nn.LeakyReLU(0.2)
        self.head = nn.Linear(filters, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.conv1(x))
        x = self.act2(self.conv2(x))
        x = self.act3(self.conv3(x))
        outputs: Tensor = self.head(x.permute(0, 2, 1))
        return outputs


def fit(net: nn.Module, epochs: int, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Adam with a one-cycle learning rate; every epoch sees a fresh sequence. `loss` takes inputs, outputs, targets."""
    rng = np.random.default_rng(SEED_TRAIN)
    optimiser = torch.optim.Adam(net.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, epochs=epochs, steps_per_epoch=TRAIN_WINDOWS // BATCH
    )
    begin, report = time.monotonic(), max(1, epochs // 6)
    for epoch in range(1, epochs + 1):
        total = 0.0
        inputs, sent = windows(*channel(TRAIN_WINDOWS * OUTPUTS, rng))
        for start in range(0, TRAIN_WINDOWS, BATCH):
            x, y = inputs[start : start + BATCH], sent[start : start + BATCH]
            optimiser.zero_grad()
            value = loss(x, net(x), y)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += value.item()
        if epoch % report == 0:
            mean = total * BATCH / TRAIN_WINDOWS
            print(f"  epoch {epoch:4d}  loss {mean:.5f}  {time.monotonic() - begin:4.0f} s", flush=True)
    net.eval()


def run(net: nn.Module, inputs: Tensor) -> Real:
    """The network's outputs, without gradients, as one (symbols, 2) array."""
    with torch.no_grad():
        parts = [net(inputs[start : start + 1024]) for start in range(0, len(inputs), 1024)]
    return torch.cat(parts).reshape(-1, 2).numpy().astype(np.float64)


def clean(model: onnx.ModelProto, name: str, doc: str) -> None:
    """Leave no trace of the machine (stack traces hold paths); keep the module paths of the nodes."""
    model.producer_name, model.producer_version = "pytorch", torch.__version__.split("+")[0]
    model.doc_string = doc
    del model.metadata_props[:]
    graph = model.graph
    graph.name = name
    del graph.metadata_props[:]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    for node in graph.node:
        kept = [(p.key, p.value) for p in node.metadata_props if p.key in KEPT_METADATA]
        del node.metadata_props[:]
        node.doc_string = ""
        for key, text in kept:
            node.metadata_props.add(key=key, value=text)


def export(net: nn.Module, path: Path, batch: int | None, doc: str) -> float:
    """Write `net` to `path` (batch axis fixed, or named when None) and return its largest deviation from torch."""
    example = torch.zeros(batch or 2, 4, WINDOW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["received"],
            output_names=["recovered"],
            dynamic_shapes=None if batch else ({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    clean(model, path.stem, doc)
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, path)

    written = ReferenceEvaluator(onnx.load(path))
    inputs, _ = windows(*channel(8 * OUTPUTS, np.random.default_rng(SEED_TEST)))
    worst = 0.0
    step = batch or len(inputs)
    for start in range(0, len(inputs), step):
        x = inputs[start : start + step]
        (got,) = written.run(None, {"received": x.numpy()})
        worst = max(worst, float(np.abs(np.asarray(got).reshape(-1, 2) - run(net, x)).max()))
    if worst > 1e-5:
        raise SystemExit(f"{path.name} differs from the network it was made from by {worst:.1e}")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the two example equalisers and write them as ONNX files.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the two files")
    parser.add_argument("--epochs", type=int, default=180, help="epochs of each training (default: %(default)s)")
    args = parser.parse_args()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    torch.manual_seed(SEED_WEIGHTS)
    torch.use_deterministic_algorithms(True)

    print("teacher", flush=True)
    teacher = Teacher()
    fit(teacher, args.epochs, lambda _, got, sent: nn.functional.mse_loss(got, sent))

    def distillation(x: Tensor, got: Tensor, sent: Tensor) -> Tensor:
        with torch.no_grad():
            taught = teacher(x)
        return (nn.functional.mse_loss(got, sent) + nn.functional.mse_loss(got, taught)) / 2

    print("student", flush=True)
    student = Student()
    fit(student, args.epochs, distillation)

    train = channel(TRAIN_WINDOWS * OUTPUTS, np.random.default_rng(SEED_TRAIN))
    test = channel(TEST_WINDOWS * OUTPUTS, np.random.default_rng(SEED_TEST))
    inputs, _ = windows(*test)
    sent = targets(test[0])
    estimates = {
        "none (gain and phase only)": one_tap(train, test),
        f"linear, {TAPS} taps": linear(train, test),
        "equaliser.onnx": run(teacher, inputs),
        "student.onnx": run(student, inputs),
    }
    print(f"\nbit error rate over {sent.size * 2} bits, seed {SEED_TEST}")
    for name, estimate in estimates.items():
        print(f"  {name:28s} {bit_error_rate(estimate, sent):.2e}")

    args.out.mkdir(parents=True, exist_ok=True)
    link = "for a simulated dual-polarisation 16-QAM link, made by examples/train_equaliser.py"
    print("\nlargest deviation of the file from torch")
    for net, name, batch, kind in (
        (teacher, "equaliser.onnx", 1, "Convolution, bidirectional LSTM and dense equaliser"),
        (student, "student.onnx", None, "Convolutional equaliser, distilled from equaliser.onnx,"),
    ):
        worst = export(net, args.out / name, batch, f"{kind} {link}")
        print(f"  {name:28s} {worst:.1e}   {(args.out / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
