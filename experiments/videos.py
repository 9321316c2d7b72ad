"""One video through the command, with its progress on the screen."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from a3gan_jax.video_anonymizer import VideoReport
from experiments.outputs import Job

REFRESH = 1.0  # seconds between two lines of progress

#: A job -> what became of its video; raises where there is no output.
AnonymizeVideo = Callable[[Job], VideoReport]


def video_command(anonymize: Callable[..., VideoReport], unfit: Mapping[str, Any], *, in_place: bool) -> AnonymizeVideo:
    """The way of a video through the command.

    Args:
        anonymize: source and target, ``progress`` -> report; see ``video_anonymizer.anonymize_video``.
        unfit: options that videos do not take, with their values; if one is set, videos fail and nothing is written.
    """

    def run(job: Job) -> VideoReport:
        if in_place:
            raise ValueError("--in-place is for images: leave it out, the video is written beside its input")
        if wrong := [name for name, value in unfit.items() if value]:
            raise ValueError(f"{', '.join(wrong)} cannot be had for videos: leave it out, or do the images alone")
        progress = Progress(job.name)
        try:
            return anonymize(job.source, job.target, progress=progress)
        finally:
            progress.end()

    return run


class Progress:
    """Frames done, frames a second and the time left, on one line of stderr, if that is a terminal."""

    def __init__(self, name: str):
        self._name, self._start, self._shown = name, time.monotonic(), 0.0
        self._active = sys.stderr.isatty()

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if not self._active or (now - self._shown < REFRESH and done != total):
            return
        self._shown = now
        rate = done / max(now - self._start, 1e-9)
        left = f", {max(total - done, 0) / rate:.0f} s left" if total else ""
        print(f"\r{self._name}: {done} of {total or '?'} frames, {rate:.1f} a second{left}   ", end="", file=sys.stderr)

    def end(self) -> None:
        if self._active and self._shown:
            print(file=sys.stderr)
