"""Stages of a pipeline, each in a thread of its own, with few results between them."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_POLL = 0.1  # seconds between looks at whether anybody still waits


def ahead(items: Iterable[T], size: int) -> Iterator[T]:
    """The same items, computed in a thread of their own, at most ``size`` of them before they are asked for.

    An error of ``items`` is raised in its turn. Once the result is closed, or has ended, the thread has ended and
    ``items``, if it is a generator, is closed; what that one reads from is its caller's to close, after it.
    """
    results: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(size)
    stop = threading.Event()

    def offer(item: T | None, error: BaseException | None, last: bool) -> bool:
        while not stop.is_set():
            try:
                results.put((item, error, last), timeout=_POLL)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not offer(item, None, False):
                    return
                del item  # while the next one is computed
            offer(None, None, True)
        except BaseException as error:  # handed on, whatever it is
            offer(None, error, True)
        finally:
            if close := getattr(iterator, "close", None):
                close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = results.get()
            if error is not None:
                raise error
            if last:
                return
            yield item
            del item
    finally:
        stop.set()
        thread.join()
