"""What a proof of a layer says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from .reference import Deviation

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was proved. simulator: the tool that ran and its version; elaborator: that whose netlist was counted.
    vectors: samples, of so many steps for a cell; a folded kernel that keeps no state runs twice. cycles: of the
    multiply-accumulate unit in one execution, seen in the run; an unrolled kernel takes one. counted_by: the inventory
    that the netlist is compared with. adders: additions and subtractions of the kernel, not those that round;
    adders_alone: those of style shiftadd, where sums share some. changed: files of a bundle that are not as they were
    emitted.

    operations: operators of one execution; inner_operations: those that are parts of an activation function, which is
    one of the operations, or of a choice, which is none. first_difference: "" where there is none. True where all is
    equal and within its bound. idealised: additions of one execution that the published form charges otherwise, with
    both figures and the reason. weights: drawn, given, or what of them was not given. rounding, overflow: of what is
    stored. saturated: whether a quantiser held a number back or a table was read at its end; None without states.
    deviation: the greatest distance from `reference`, results in real numbers; bound: the greatest that rounding,
    limits and tables allow; None where the equations leave numbers open.
    """

    name: str
    style: str
    schedule: str
    simulator: str
    vectors: int
    steps: int
    values_equal: bool
    counts_equal: bool
    first_difference: str
    operations: int
    elaborator: str = ""
    cycles: int = 1
    counted_by: str = ""
    adders: int = 0
    adders_alone: int | None = None
    changed: tuple[str, ...] = ()
    inner_operations: int = 0
    idealised: tuple[str, ...] = ()
    weights: str = "drawn"
    rounding: str = "TRN"
    overflow: str = "WRAP"
    saturated: bool | None = None
    deviation: float | None = None
    bound: float | None = None
    within: bool | None = None
    reference: str = ""

    def __bool__(self) -> bool:
        return self.values_equal and self.counts_equal and self.within is not False

    def to_dict(self) -> dict[str, object]:
        """The verdict as plain data."""
        return asdict(self)

    def beside(self, real: Deviation | None) -> Verdict:
        """The verdict with the distances from real numbers, where they are known."""
        if real is None:
            return self
        beyond = "" if real.within else f"kernel and {real.reference}: a result is further apart than its bound"
        return replace(
            self,
            first_difference=self.first_difference or beyond,
            deviation=real.greatest,
            bound=real.bound,
            within=real.within,
            reference=real.reference,
        )
