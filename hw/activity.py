"""Running a clocked design for thousands of cycles: a cell is evaluated only where what it reads has changed.

The same cells and registers as a simulation runs, with the same meaning; a folded kernel moves few of them in a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

import numpy as np
from nncomplexity.errors import UsageError

from .cells import Operand
from .circuit import CLOCK
from .simulate import RESET, Simulation
from .words import NARROW, Array, wrap

__all__ = ["Activity"]


class Activity:
    """The state of a design from cycle to cycle, for a batch of samples. Ports are read unsigned.

    inputs: of the first cycle, by port, [samples]; with them the design is reset for one edge.
    Raises: UsageError E-SIMULATE-INPUT for a missing or unknown port; NetlistError as `Simulation.run_clocked`.
    """

    def __init__(self, simulation: Simulation, inputs: Mapping[str, Array]) -> None:
        known = set(simulation.inputs) - {CLOCK, RESET}
        if wrong := sorted(known ^ set(inputs)):
            raise UsageError("E-SIMULATE-INPUT", f"the port '{wrong[0]}' is missing or too many")
        self._simulation = simulation
        self._words: list[Array] = [np.zeros(1, dtype=np.int64)] * len(simulation.widths)
        self._readers: dict[int, list[int]] = {}
        for place, step in enumerate(simulation.order):
            for word in step.needs:
                self._readers.setdefault(word, []).append(place)
        self._holders: dict[int, list[int]] = {}
        for number, register in enumerate(simulation.registers):
            for word in {*register.needs, register.word}:
                self._holders.setdefault(word, []).append(number)
        given = {name: self._held(name, values)[np.newaxis] for name, values in inputs.items()}
        simulation.begin(self._words, given, 1 if RESET in simulation.inputs else 0)
        simulation.apply(self._words, given, 0, simulation.order, reset=0)
        self._moved = set(range(len(simulation.registers)))
        self._outputs = {
            name: Operand([simulation.same.get(bit, bit) for bit in port.bits], False, simulation.drivers, name)
            for name, port in simulation.outputs.items()
        }

    def output(self, name: str) -> Array:
        """A port in this cycle, unsigned: [samples], or [1] where it does not depend on them."""
        reader = self._outputs[name]
        return reader.read(self._words, self._simulation.widths, reader.width > NARROW)

    def edge(self, inputs: Mapping[str, Array]) -> None:
        """The rising edge of the clock, and the next cycle with these inputs; ports not named keep theirs."""
        simulation, words = self._simulation, self._words
        registers = [simulation.registers[number] for number in sorted(self._moved)]
        following = [register.next(words) for register in registers]
        self._moved = set()
        waiting: set[int] = set()
        for register, values in zip(registers, following, strict=True):
            self._set(register.word, values, waiting)
        for name, values in inputs.items():
            for word, value in simulation.entered(simulation.words[name], self._held(name, values)):
                self._set(word, value, waiting)
        queue = list(waiting)
        heapify(queue)
        while queue:
            place = heappop(queue)
            step = simulation.order[place]
            found: set[int] = set()
            self._set(step.word, step.evaluate(words), found)
            # Readers stand behind what they read.
            for reader in found - waiting:
                heappush(queue, reader)
            waiting |= found

    def _set(self, word: int, values: Array, waiting: set[int]) -> None:
        """Give a word its value; where that is another one, its readers are to be evaluated."""
        before = self._words[word]
        if values is before or (values.shape == before.shape and bool((values == before).all())):
            return
        self._words[word] = values
        waiting.update(self._readers.get(word, ()))
        self._moved.update(self._holders.get(word, ()))

    def _held(self, name: str, values: Array) -> Array:
        width = len(self._simulation.inputs[name].bits)
        return wrap(values.astype(object) if width > NARROW else values.astype(np.int64), width)
