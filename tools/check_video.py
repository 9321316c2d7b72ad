"""Checks that no frame of an anonymised video shows the face of its original, and that nothing else got lost.

    python -m tools.check_video ORIGINAL ANONYMIZED [--json FILE]

Every face that YuNet finds at 0.6 in a frame of the original is looked at by SFace, as published, in both videos; also
where the detector loses a face for some frames. Frame rate, number and times of frames, size and sound must be the
same. Of each track (a face through one scene) it measures how stable the pseudonym is, by the cosine between frames
that follow one another against that of the original, and how it flickers (a3gan_jax/evals/video_acceptance.py).

Prints a line for each violation and each track. Exit codes: 0 no violation; 1 there is one; 2 a wrong command line,
or a video that cannot be read.
"""

import argparse
import collections
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from a3gan_jax.anonymizer import DETECTOR_SCORE
from a3gan_jax.evals.onnx_recognizer import OnnxSFace
from a3gan_jax.evals.video_acceptance import PAIRS, VideoVerdict, judge_video
from a3gan_jax.faces.detector import YuNet


def summary(verdict: VideoVerdict) -> dict[str, Any]:
    """Figures over all tracks, those with more pairs counting more; null where there is nothing to say."""
    tracks = [track for track in verdict.tracks if track.pairs]
    weights = [track.pairs for track in tracks]

    def mean(name: str) -> float | None:
        return float(np.average([getattr(track, name) for track in tracks], weights=weights)) if tracks else None

    names = ("original_cosine", "result_cosine", "original_flicker", "result_flicker")
    means = {name: mean(name) for name in names}
    long = [track.stability for track in tracks if track.pairs >= PAIRS]
    return {
        "frames": verdict.frames,
        "tracks": len(verdict.tracks),
        "faces": sum(track.faces for track in verdict.tracks),
        "faces in gaps": sum(track.gaps for track in verdict.tracks),
        "largest cosine": max(verdict.cosines, default=None),
        **{f"{name.replace('_', ' ')} between frames": value for name, value in means.items()},
        "stability": means["result_cosine"] / means["original_cosine"] if tracks else None,
        "least stability of a track": min(long, default=None),
        "flicker against the original": means["result_flicker"] / means["original_flicker"]
        if tracks and means["original_flicker"]
        else None,
        "violations": dict(collections.Counter(violation.kind for violation in verdict.violations)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("original", type=Path)
    parser.add_argument("anonymized", type=Path)
    parser.add_argument("--json", type=Path, help="all figures, track by track, into this file")
    given = parser.parse_args(arguments)
    try:
        verdict = judge_video(given.original, given.anonymized, YuNet(score=DETECTOR_SCORE), OnnxSFace())
    except (ValueError, OSError, ModuleNotFoundError, av.FFmpegError) as error:
        parser.error(" ".join(str(error).split()))
    for violation in verdict.violations:
        print(f"{violation.kind}: {violation.text}")
    for track in verdict.tracks:
        print(
            f"track {track.track}: {track.faces} faces, {track.gaps} in gaps, largest cosine "
            f"{track.largest_cosine:.3f}, stability {track.stability:.3f}, "
            f"flicker {track.result_flicker:.2f} (original {track.original_flicker:.2f})"
        )
    figures = summary(verdict)
    for name, value in figures.items():
        print(f"{name}: {f'{value:.3f}' if isinstance(value, float) else value}")
    if given.json:
        tracks = [dataclasses.asdict(track) | {"stability": track.stability} for track in verdict.tracks]
        violations = [vars(violation) for violation in verdict.violations]
        report = {"summary": figures, "tracks": tracks, "violations": violations}
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
