"""Running an elaborated netlist on thousands of vectors at once: each cell one operation on an array of samples."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from nncomplexity.errors import UsageError, quoted

from .cells import Operand, Port, Step
from .circuit import CLOCK, Circuit
from .tools import NetlistError
from .words import NARROW, Array, slices, wrap

__all__ = ["Simulation"]

# Values held at once: 256 MiB of them.
VALUES = 1 << 25
RESET = "rst"


class Simulation(Circuit):
    """A circuit that runs."""

    def run(self, inputs: Mapping[str, Array], *, signed: Collection[str] | None = None) -> dict[str, Array]:
        """The outputs of a design without registers.

        Shapes: each input [samples], or [1] where it is that of all; each output [samples]. signed: names of the ports
        read as two's complement, both inputs and outputs; None as the text declares them. Ports above 63 bits are
        arrays of Python integers.
        Raises: UsageError E-SIMULATE-INPUT for a missing or unknown port, or a value its port does not hold;
        NetlistError for a design with registers, a loop, an undefined bit.
        """
        if self.registers:
            fact = f"the design holds {len(self.registers)} registers, and is to be run by clock cycles"
            raise NetlistError("E-SIMULATE-CLOCK", fact)
        given = self.checked(inputs, 1, signed, ())
        return {name: values[0] for name, values in self.batches(given, 1, signed, 0).items()}

    def run_clocked(
        self, inputs: Mapping[str, Array], cycles: int, *, signed: Collection[str] | None = None
    ) -> dict[str, Array]:
        """The outputs of a design in each cycle, just before the rising edge of `clk` that ends it.

        Shapes: each input [cycles, samples], or [samples] where it is held; each output [cycles, samples]. A reset
        `rst`, active at 1, is held for one edge with the inputs of the first cycle, before the cycles counted, and is
        then 0 unless it is among the inputs. `clk` is not.
        Raises: as `run`; NetlistError E-SIMULATE-RESET for a register that starts undefined and stays so.
        """
        if cycles < 1:
            raise UsageError("E-SIMULATE-INPUT", f"a design runs for at least 1 cycle, not {cycles}")
        given = self.checked(inputs, cycles, signed, (CLOCK, RESET))
        return self.batches(given, cycles, signed, 1 if RESET in self.inputs else 0)

    def checked(
        self, inputs: Mapping[str, Array], cycles: int, signed: Collection[str] | None, free: Collection[str]
    ) -> dict[str, Array]:
        """The inputs as arrays [cycles, samples]; one cycle where it is held, one sample where it is that of all."""
        known = set(self.inputs) - {CLOCK} if free else set(self.inputs)
        if unknown := sorted(set(inputs) - known | known - set(inputs) - set(free)):
            fact = f"the inputs are {', '.join(sorted(known)) or 'none'}; '{quoted(unknown[0])}' is missing or too many"
            raise UsageError("E-SIMULATE-INPUT", fact)
        found, samples = dict[str, Array](), set[int]()
        for name, values in inputs.items():
            array = np.asarray(values)
            width, reading = len(self.inputs[name].bits), self.reads_signed(self.inputs[name], signed)
            low, high = (-(1 << width - 1), (1 << width - 1) - 1) if reading else (0, (1 << width) - 1)
            if array.dtype.kind not in "biuO" or array.ndim not in ({1, 2} if free else {1}) or not array.size:
                raise UsageError("E-SIMULATE-INPUT", f"'{quoted(name)}' is no array of integers of the shape expected")
            if array.ndim == 2 and len(array) != cycles:
                raise UsageError("E-SIMULATE-INPUT", f"'{quoted(name)}' has {len(array)} cycles of {cycles}")
            if int(array.min()) < low or int(array.max()) > high:
                fact = f"'{quoted(name)}' holds {low} to {high}, and is given {array.min()} to {array.max()}"
                raise UsageError("E-SIMULATE-INPUT", fact)
            stored = array.astype(object) if width > NARROW or array.dtype.kind == "u" else array
            stored = wrap(stored if stored.dtype == object else stored.astype(np.int64), width)
            found[name] = np.atleast_2d(stored)
            samples.add(stored.shape[-1])
        if len(samples - {1}) > 1:
            raise UsageError("E-SIMULATE-INPUT", f"the inputs have different numbers of samples: {sorted(samples)}")
        return found

    def batches(
        self, given: Mapping[str, Array], cycles: int, signed: Collection[str] | None, resets: int
    ) -> dict[str, Array]:
        """The outputs [cycles, samples], made for as many samples at once as memory should hold."""
        samples = max((values.shape[1] for values in given.values()), default=1)
        at_once = max(1, VALUES // max(1, len(self.widths)))
        readers = {
            name: Operand(
                [self.same.get(bit, bit) for bit in port.bits], self.reads_signed(port, signed), self.drivers, name
            )
            for name, port in self.outputs.items()
        }
        made: dict[str, list[Array]] = {name: [] for name in readers}
        for start in range(0, samples, at_once):
            part = {
                name: values if values.shape[1] == 1 else values[:, start : start + at_once]
                for name, values in given.items()
            }
            length = min(at_once, samples - start)
            for name, rows in self.batch(part, cycles, resets, readers, length).items():
                made[name].append(rows)
        return {name: np.concatenate(rows, axis=1) for name, rows in made.items()}

    def batch(
        self, given: Mapping[str, Array], cycles: int, resets: int, readers: Mapping[str, Operand], samples: int
    ) -> dict[str, Array]:
        words: list[Array] = [np.zeros(1, dtype=np.int64)] * len(self.widths)
        self.begin(words, given, resets)
        moving = self.moving({name for name, values in given.items() if len(values) == 1})
        rows: dict[str, list[Array]] = {name: [] for name in readers}
        for cycle in range(cycles):
            self.apply(words, given, cycle, moving if cycle else self.order, reset=0)
            for name, reader in readers.items():
                values = reader.read(words, self.widths, reader.width > NARROW)
                rows[name].append(np.broadcast_to(values, (samples,)))
            if cycle + 1 < cycles:
                self.edge(words)
        return {name: np.stack(found) for name, found in rows.items()}

    def begin(self, words: list[Array], given: Mapping[str, Array], resets: int) -> None:
        """Bring the registers to what they hold before the first cycle, and prove that it does not depend on luck."""
        states = []
        for luck in (0, -1):
            for register in self.registers:
                start = register.start | luck & ~register.known
                values = np.array([start], dtype=object if register.width > NARROW else np.int64)
                words[register.word] = wrap(values, register.width)
            for _ in range(resets):
                self.apply(words, given, 0, self.order, reset=1)
                self.edge(words)
            states.append([words[register.word] for register in self.registers])
        for register, zeros, ones in zip(self.registers, *states, strict=True):
            if np.any(zeros != ones):
                fact = f"the register '{quoted(register.place)}' has neither an initial value nor a reset"
                raise NetlistError("E-SIMULATE-RESET", fact)

    def moving(self, held: Collection[str]) -> list[Step]:
        """The steps that another cycle may change, where these inputs are held."""
        changed = {word for name, word in self.words.items() if name not in held}
        changed.update(register.word for register in self.registers)
        for word in changed & self.cuts.keys():
            changed.update(self.cuts[word].values())
        found = []
        for step in self.order:
            if not changed.isdisjoint(step.needs):
                changed.add(step.word)
                found.append(step)
        return found

    def apply(
        self, words: list[Array], given: Mapping[str, Array], cycle: int, steps: Sequence[Step], *, reset: int
    ) -> None:
        """Set the inputs of a cycle and evaluate the cells."""
        for name, word in self.words.items():
            values = given.get(name)
            if values is not None and not (reset and name == RESET):
                if cycle and len(values) == 1:
                    continue
                now = values[cycle]
            else:
                now = wrap(np.array([reset if name == RESET else 0], dtype=np.int64), self.widths[word])
            for each, value in self.entered(word, now):
                words[each] = value
        for step in steps:
            words[step.word] = step.evaluate(words)

    def entered(self, word: int, values: Array) -> Iterator[tuple[int, Array]]:
        """An input's word, and those that are cut out of it."""
        yield word, values
        if cuts := self.cuts.get(word):
            yield from zip(cuts.values(), slices(values, self.widths[word], list(cuts)), strict=True)

    def edge(self, words: list[Array]) -> None:
        """The rising edge of the clock: all registers at once."""
        following = [register.next(words) for register in self.registers]
        for register, values in zip(self.registers, following, strict=True):
            words[register.word] = values

    def reads_signed(self, port: Port, signed: Collection[str] | None) -> bool:
        return port.signed if signed is None else port.name in signed
