"""Fourier transforms and windows against loops that count what they do."""

from __future__ import annotations

import pytest
from nncomplexity.errors import ModelError
from nncomplexity.expressions import substitute, symbol
from nncomplexity.operators.rule import Uncounted
from reference.calls import caller
from reference.calls import tensor as T
from reference.totals import totals

run = caller("transform", version=20)


def scalar(value):
    return T(dtype="int64", value=None if value is None else (value,))


def direct(terms, outputs, parts, last):
    """Products and additions of direct complex sums over `terms` numbers of so many parts; `last` parts are kept."""
    products = additions = 0
    for _ in range(outputs):
        for _ in range(last):
            summed = False
            for _ in range(terms):
                for _ in range(parts):
                    products += 1
                    additions += summed
                    summed = True
    return products, additions


@pytest.mark.parametrize(
    ("shape", "length", "attributes", "sums"),
    [
        ((3, 7, 1), None, {}, (7, 7, 1, 2)),
        ((3, 7, 2), None, {}, (7, 7, 2, 2)),
        ((3, 7, 2), None, {"inverse": 1}, (7, 7, 2, 2)),
        ((3, 7, 1), None, {"onesided": 1}, (7, 4, 1, 2)),
        ((3, 7, 1), 10, {"onesided": 1}, (10, 6, 1, 2)),
        ((3, 7, 1), 5, {}, (5, 5, 1, 2)),
        ((3, 6, 2), None, {"onesided": 1, "inverse": 1}, (6, 10, 2, 1)),
        ((3, 6, 2), 11, {"onesided": 1, "inverse": 1}, (6, 11, 2, 1)),
    ],
)
@pytest.mark.parametrize("convention", ["paper", "exact"])
def test_dft_counts_what_direct_sums_do(shape, length, attributes, sums, convention):
    _, outputs, _, last = sums
    products, additions = direct(*sums)
    inputs = (T(*shape), *([] if length is None else [scalar(length)]))
    result = run("DFT", *inputs, **attributes)
    assert result.outputs[0].shape == (3, outputs, last)
    expected = {"rm": 3 * products, "mac": 3 * products, "add": 3 * additions, "cmp": 0, "act": 0}
    assert totals(result, convention) == expected


def test_the_axis_is_an_attribute_up_to_opset_19_and_an_input_since():
    x = T(2, 3, 5, 1)
    assert run("DFT", x, version=19, onesided=1).outputs[0].shape == (2, 2, 5, 2)
    assert run("DFT", x, version=17, axis=2, onesided=1).outputs[0].shape == (2, 3, 3, 2)
    assert run("DFT", x, onesided=1).outputs[0].shape == (2, 3, 3, 2)
    assert run("DFT", x, None, scalar(0), onesided=1).outputs[0].shape == (2, 3, 5, 2)
    assert run("DFT", x, None, scalar(-3), onesided=1).outputs[0].shape == (2, 2, 5, 2)


def test_real_transforms_are_the_onesided_ones():
    x, spectrum = T(3, 8), T(3, 5, 2)
    forward, backward = run("Rfft", x, signal_ndim=1), run("Irfft", spectrum, signal_ndim=1)
    assert (forward.outputs[0].shape, backward.outputs[0].shape) == ((3, 5, 2), (3, 8))
    assert totals(forward) == totals(run("DFT", T(3, 8, 1), onesided=1))
    assert totals(backward) == totals(run("DFT", spectrum, onesided=1, inverse=1))
    with pytest.raises(Uncounted, match=r"^no rule for a transform over 2 axes at once$"):
        run("Rfft", x, signal_ndim=2)


def test_stft_windows_and_sums_every_frame():
    frames, bins, length = (29 - 8) // 3 + 1, 5, 8
    products, additions = direct(length, bins, 1, 2)
    bare = run("STFT", T(2, 29, 1), scalar(3), None, scalar(length))
    windowed = run("STFT", T(2, 29, 1), scalar(3), T(length, constant=True))
    assert bare.outputs[0].shape == windowed.outputs[0].shape == (2, frames, bins, 2)
    macs = 2 * frames * products
    assert macs == 2 * frames * bins * length * 2
    assert totals(bare) == {"rm": macs, "mac": macs, "add": 2 * frames * additions, "cmp": 0, "act": 0}
    assert totals(windowed) == {**totals(bare), "rm": macs + 2 * frames * length}
    whole = run("STFT", T(2, 29, 2), scalar(3), T(length), scalar(length), onesided=0)
    assert whole.outputs[0].shape == (2, frames, 8, 2)
    assert totals(whole)["mac"] == 2 * frames * direct(8, 8, 2, 2)[0]
    assert totals(whole)["rm"] - totals(whole)["mac"] == 2 * frames * length * 2


def test_symbolic_is_integer_at_every_size():
    b, n = symbol("b"), symbol("n")

    def calls(b, n):
        yield run("DFT", T(b, n, 1), onesided=1)
        yield run("DFT", T(b, n + 1, 2), onesided=1, inverse=1)
        yield run("STFT", T(b, 4 * n, 1), scalar(3), T(4))
        yield run("STFT", T(b, 40, 1), scalar(n), T(4))

    for values in ({"b": 1, "n": 1}, {"b": 3, "n": 6}, {"b": 2, "n": 9}):
        for free, concrete in zip(calls(b, n), calls(*values.values()), strict=True):
            assert tuple(substitute(size, values) for size in free.outputs[0].shape) == concrete.outputs[0].shape
            assert {k: substitute(v, values) for k, v in totals(free).items()} == totals(concrete)


def test_windows_are_known_or_counted_by_definition():
    known = run("HannWindow", scalar(10))
    assert (known.free, known.outputs[0].shape, known.outputs[0].dtype) == ("known before the run", (10,), "float32")
    assert run("HammingWindow", scalar(10), output_datatype=11).outputs[0].dtype == "float64"
    free = run("HannWindow", scalar(None))
    assert [str(size) for size in free.outputs[0].shape] == ["n.size"]
    assert {k: substitute(v, {"n.size": 7}) for k, v in totals(free).items()} == {
        "rm": 14,
        "mac": 0,
        "add": 7,
        "cmp": 0,
        "act": 7,
    }
    blackman = totals(run("BlackmanWindow", scalar(symbol("s"))))
    assert {k: substitute(v, {"s": 7}) for k, v in blackman.items()} == {
        "rm": 28,
        "mac": 0,
        "add": 14,
        "cmp": 0,
        "act": 14,
    }


def test_mel_weights_are_known_or_counted_by_definition():
    edges = (T(value=(0.0,)), T(value=(8000.0,)))
    known = run("MelWeightMatrix", scalar(5), scalar(16), scalar(16000), *edges)
    assert (known.free, known.outputs[0].shape) == ("known before the run", (9, 5))
    counted = run("MelWeightMatrix", scalar(5), scalar(16), scalar(None), *edges)
    assert counted.outputs[0].shape == (9, 5)
    assert totals(counted) == {"rm": 2 + 2 * 7, "mac": 0, "add": 2 + 7 + 90, "cmp": 90, "act": 4 + 3 * 7 + 90}


@pytest.mark.parametrize(
    ("call", "attributes", "text"),
    [
        (("DFT", T(5)), {}, "input 0 has rank 1, expected 2 or more [E-RANK]"),
        (("DFT", T(5, 3)), {}, "the last axis has size 3, expected 1 (real) or 2 (complex) [E-DFT-PARTS]"),
        (
            ("DFT", T(2, 5, 2)),
            {"onesided": 1},
            "a onesided transform needs a real input, found a complex one [E-DFT-ONESIDED]",
        ),
        (("DFT", T(2, 5, 1), None, scalar(2)), {}, "axis 2 is the axis of real and imaginary parts [E-AXIS]"),
        (("DFT", T(2, 5, 1), None, scalar(3)), {}, "axis 3 is outside -3..2 [E-AXIS]"),
        (("DFT", T(2, 5, 1), scalar(0)), {}, "input 1 is 0, expected 1 or more [E-SCALAR]"),
        (("DFT", T(2, 0, 1)), {}, "a transform of 0 terms has none [E-DFT-LENGTH]"),
        (("STFT", T(2, 9), scalar(2)), {}, "input 0 has rank 2, expected 3 [E-RANK]"),
        (("STFT", T(2, 9, 1), scalar(0)), {}, "input 1 is 0, expected 1 or more [E-SCALAR]"),
        (
            ("STFT", T(2, 9, 1), scalar(2), T(10)),
            {},
            "a frame of 10 samples does not fit a signal of 9 [E-STFT-FRAME]",
        ),
        (
            ("STFT", T(2, 9, 1), scalar(2), T(4), scalar(5)),
            {},
            "the window has 4 samples, a frame 5 [E-STFT-WINDOW]",
        ),
        (("HannWindow", scalar(-1)), {}, "input 0 is -1, expected 0 or more [E-SCALAR]"),
    ],
)
def test_contradictions_are_refused_with_what_was_found(call, attributes, text):
    with pytest.raises(ModelError) as caught:
        run(*call, **attributes)
    assert str(caught.value) == text


def test_what_cannot_be_counted_says_why():
    with pytest.raises(Uncounted, match=r"^the axis \(input 2\) is unknown$"):
        run("DFT", T(2, 5, 1), None, scalar(None))
    with pytest.raises(Uncounted, match=r"^whether the input is real or complex depends on p$"):
        run("DFT", T(2, 5, symbol("p")))
