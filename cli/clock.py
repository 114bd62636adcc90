"""`--timeout`: a wall-clock limit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nncomplexity.errors import UsageError

__all__ = ["OutOfTime", "time_limit"]


class OutOfTime(BaseException):
    """The limit is reached. No Exception: nothing on the way up may take it for a fault of the model."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise OutOfTime inside the block after so many seconds. Raises UsageError where the system has no such clock."""
    if seconds is None:
        yield
        return
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        raise UsageError("E-TIMEOUT-SYSTEM", "--timeout needs a POSIX system and the main thread")

    def expire(number: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
