"""From what was measured photo by photo to the figures of a report, and the report in Markdown."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from a3gan_jax.evals import fidelity, privacy
from a3gan_jax.evals.passes import ANONYMIZED, ORIGINAL, SECOND_SEED, SOME_KEPT
from a3gan_jax.evals.recognition import Attacker

FALSE_ACCEPTS = 0.01
SOURCE = "originals"


class Collected:
    """Arrays over photos, in batches as they come, by row of the report."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))

    def add(self, row: str, **values: np.ndarray) -> None:
        """Adds a batch to a row, each value (N, ...)."""
        for what, value in values.items():
            self._parts[row][what].append(value)

    def get(self, row: str, what: str) -> np.ndarray:
        """All photos of a row."""
        return np.concatenate(self._parts[row][what])

    def rows(self, what: str) -> list[str]:
        """The rows that have something, in the order in which they came."""
        return [row for row, parts in self._parts.items() if what in parts]


def summarize(collected: Collected, attackers: Sequence[Attacker], names: Sequence[str], kept: Sequence[str]) -> dict:
    """All figures, as plain values for JSON.

    Args:
        collected: row ``SOURCE`` with ``identity`` (N,), ``found`` (N,) and embeddings (N, D) by attacker, of the
            originals at full resolution; other rows with ``found``, embeddings, ``psnr`` and ``difference`` to the
            originals at the model's size, and those of a model with ``asked``, ``seen`` and ``gates``.
        attackers: whose embeddings they are.
        names: the K attributes of the model.
        kept: those that the row ``SOME_KEPT`` kept.
    """
    identity = collected.get(SOURCE, "identity")
    people = privacy.people_searched(identity)
    figures: dict[str, Any] = {
        "photos": len(identity),
        "people": len(np.unique(identity[identity >= 0])),
        "people_with_other_photos": people,
        "rank1_chance": 1 / people if people else float("nan"),
        "false_accept_rate": FALSE_ACCEPTS,
        "rows": {row: {"found": float(collected.get(row, "found").mean())} for row in collected.rows("found")},
    }
    for attacker in attackers:
        _add_attacker(figures, collected, attacker, identity)
    for row in collected.rows("psnr"):
        quality = figures["rows"].setdefault(row, {})
        quality |= {what: float(collected.get(row, what).mean()) for what in ("psnr", "difference")}
    if collected.rows("asked"):
        figures["attributes"] = _attribute_figures(collected, names, kept)
        figures["gates"] = collected.get(ANONYMIZED, "gates").mean(0).tolist()
    return figures


def _add_attacker(figures: dict, collected: Collected, attacker: Attacker, identity: np.ndarray) -> None:
    source = collected.get(SOURCE, attacker.name)
    threshold = privacy.false_accept_threshold(attacker.similarity(source, source), identity, FALSE_ACCEPTS)
    figures.setdefault("thresholds", {})[attacker.name] = {"published": attacker.threshold, "measured": threshold}
    for row in collected.rows(attacker.name):
        similarity = attacker.similarity(collected.get(row, attacker.name), source)
        own = similarity.diagonal()
        found = privacy.identification(similarity, identity, threshold)
        figures["rows"][row][attacker.name] = {
            "similarity": float(own.mean()),
            "matched": float((own >= attacker.threshold).mean()),
            "matched_at_far": float((own >= threshold).mean()),
            "rank1": found.rank1,
            "verified": found.verified,
        }
    if SECOND_SEED in collected.rows(attacker.name):
        one, other = (collected.get(row, attacker.name) for row in (ANONYMIZED, SECOND_SEED))
        pairs = attacker.similarity(one, other).diagonal()
        figures.setdefault("seed_pairs", {})[attacker.name] = {
            "similarity": float(pairs.mean()),
            "matched": float((pairs >= attacker.threshold).mean()),
        }


def _attribute_figures(collected: Collected, names: Sequence[str], kept: Sequence[str]) -> dict:
    labels = collected.get(SOURCE, "attributes")
    before, after = collected.get(ORIGINAL, "seen"), collected.get(SOME_KEPT, "seen")
    agreement = dict(zip(names, fidelity.agreement(before, after).tolist(), strict=True))
    figures: dict[str, Any] = {
        "classifier_right_on_originals": float((before == labels).mean()),
        "kept": {name: agreement[name] for name in kept},
        "kept_mean": float(np.mean([agreement[name] for name in kept])) if kept else float("nan"),
    }
    for row in (ANONYMIZED, SOME_KEPT):
        asked = collected.get(row, "asked")
        seen, count = fidelity.realised(asked, labels, collected.get(row, "seen"))
        figures[row] = {"realised": seen / count if count else float("nan"), "asked_per_photo": count / len(labels)}
    return figures


def to_markdown(figures: dict, attackers: Sequence[Attacker]) -> str:
    """The report."""
    lines = [
        f"{figures['photos']} photos of {figures['people']} people; rank-1 among "
        f"{figures['people_with_other_photos']} people with other photos, chance {figures['rank1_chance']:.3f}; "
        "thresholds at 1 % false accepts from the originals: "
        + ", ".join(f"{a.name} {_number(a, figures['thresholds'][a.name]['measured'])}" for a in attackers),
        "",
    ]
    columns = ["", "faces found"]
    for a in attackers:
        kind, sign = ("distance", "<=") if a.threshold < 0 else ("cosine", ">=")
        columns += [f"{a.name} {kind}", f"{sign} {_number(a, a.threshold)}", "@1 %", "rank-1", "verified @1 %"]
    lines += [_row(columns), _row(["---"] * len(columns))]
    for name, row in figures["rows"].items():
        if "found" not in row:
            continue
        cells = [name, f"{row['found']:.3f}"]
        for a in attackers:
            figure = row[a.name]
            cells.append(_number(a, figure["similarity"]))
            cells += [f"{figure[what]:.3f}" for what in ("matched", "matched_at_far", "rank1", "verified")]
        lines.append(_row(cells))
    lines += [
        "",
        "Rank-1 and verification are against other photos of the person, the source left out.",
        "",
        _row(["", ""]),
        _row(["---", "---"]),
    ]
    return "\n".join(lines + [_row(pair) for pair in _details(figures, attackers)]) + "\n"


def _details(figures: dict, attackers: Sequence[Attacker]) -> list[tuple[str, str]]:
    """The second table: what and how much."""
    rows = figures["rows"]
    details = [
        (f"{name}: PSNR; mean difference", f"{row['psnr']:.1f} dB; {row['difference']:.1f} of 255")
        for name, row in rows.items()
        if "psnr" in row and name != ORIGINAL
    ]
    for name, pairs in figures.get("seed_pairs", {}).items():
        details.append((f"two seeds taken for one person by {name}", f"{pairs['matched']:.3f}"))
    if "attributes" in figures:
        a = figures["attributes"]
        details += [
            ("kept attributes agree", f"{a['kept_mean']:.3f}"),
            *((f"kept: {name}", f"{share:.3f}") for name, share in a["kept"].items()),
        ]
        for name in (ANONYMIZED, SOME_KEPT):
            details.append(
                (f"asked changes realised, {name}", f"{a[name]['realised']:.3f} of {a[name]['asked_per_photo']:.1f}")
            )
        details.append(("attribute classifier right on originals", f"{a['classifier_right_on_originals']:.3f}"))
        for level, (everywhere, face, outside) in enumerate(figures["gates"], start=1):
            details.append(
                (
                    f"mean gate {level} (1 = deepest); in the face; outside",
                    f"{everywhere:.2f}; {face:.2f}; {outside:.2f}",
                )
            )
    return details


def _number(attacker: Attacker, similarity: float) -> str:
    """A cosine or a distance."""
    return f"{-similarity if attacker.threshold < 0 else similarity:.3f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
