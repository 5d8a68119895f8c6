"""Do the promises hold? Sets, risk control, adapting, scores for abstaining, groups and drift, over many repetitions.

    python benchmarks/trust.py fer2013/                     # everything, base-int8, about ten minutes on two cores
    python benchmarks/trust.py fer2013/ sets groups --quick     # a tenth of the repetitions
    python benchmarks/trust.py fer2013/ --out trust.md      # the tables as Markdown too

Faces: FER2013's validation split where more than half of FER+'s taggers agree, which no model has trained on.

sets    coverage of the sets of emotions over 200 random halves: fitted on one, counted on the other
risks   realised error of the thresholds, likewise
adapt   20, 100 and 500 labels on a shifted set (fixed transforms), own classes and three others; the rest is judged
scores  risk-coverage curves of the scores for abstaining
groups  200 data sets with a planted gap and 200 without
drift   200 cameras of the same kind, by the number of appearances, and 200 of a shifted kind
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import quick
from numpy.typing import NDArray
from PIL import Image

from mien.adapt.features import SourceModel
from mien.contract.distributions import Reference, Tally
from mien.contract.guarantees import SetRule
from mien.contract.shipped_models import resolve_model
from mien.contract.statistics import wilson_interval
from mien.data.faceset import FaceSet
from mien.data.loading import load_faces
from mien.data.votes import by_votes
from mien.evaluate.abstention_scores import compare_scores, fitted_scores
from mien.evaluate.adaptation import adapt
from mien.evaluate.conformal_sets import coverage_over_splits
from mien.evaluate.drift import compare
from mien.evaluate.groups import Column, compare_groups
from mien.evaluate.readout import Evidence
from mien.evaluate.risk_control import risk_over_splits

THREE = {"happy": "positive", "neutral": "other", "surprise": "other"}
"""Three own classes; all else is negative."""

Row = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Bench:
    """The faces, what the model makes of them, and how often each part repeats.

    Attributes:
        labels: of the model, which ``labels_N`` indexes.
        shifted: the same faces after fixed transforms.
        shifted_evidence: what the model makes of these.
    """

    labels: tuple[str, ...]
    labels_N: NDArray[np.int64]
    faces_NSS: NDArray[np.uint8]
    evidence: Evidence
    probs_NC: NDArray[np.float64]
    shifted_NSS: NDArray[np.uint8]
    shifted: Evidence
    repeats: int


def shifted_face(face_SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turned by 12 degrees, seen from farther away, 22 px and back, half the contrast, noise of 8 levels."""
    side = len(face_SS)
    picture = Image.fromarray(face_SS).rotate(12, Image.Resampling.BILINEAR, fillcolor=int(np.median(face_SS)))
    small = round(22 * side / 48)
    picture = picture.resize((small, small), Image.Resampling.BOX).resize((side, side), Image.Resampling.BILINEAR)
    rng = np.random.default_rng(int(face_SS.sum()))
    return np.clip(np.asarray(picture) * 0.5 + 90 + rng.normal(0, 8, (side, side)), 0, 255).astype(np.uint8)


def opened(data: Path, votes: Path | None, model: str, quick: bool) -> Bench:
    """Run the model over the faces and over their shifted copies."""
    source = SourceModel(resolve_model(model))
    faces: FaceSet = by_votes(load_faces(data, side=source.card.image.side, votes=votes or "auto").split("validation"))
    if quick:
        faces = faces.take(np.arange(0, len(faces), 20))
    labels = source.card.labels
    labels_N = np.array([labels.index(name) for name in faces.labels])[faces.labels_N]
    shifted_NSS = np.stack([shifted_face(face) for face in faces.faces_NHW])
    evidence = source.evidence(faces.faces_NHW)
    return Bench(
        labels,
        labels_N,
        faces.faces_NHW,
        evidence,
        np.exp(evidence.log_probs_NC),
        shifted_NSS,
        source.evidence(shifted_NSS),
        20 if quick else 200,
    )


def sets(bench: Bench) -> Iterator[Row]:
    yield "sets", "promised", "coverage", "sd", "worst class", "emotions in a set", "of one alone"
    for by_class in (False, True):
        for level in (0.8, 0.9, 0.95):
            found = coverage_over_splits(
                bench.probs_NC, bench.labels_N, SetRule("lac"), level, by_class=by_class, splits=bench.repeats
            )
            worst = min(
                (each, name) for each, name in zip(found.class_coverage, bench.labels, strict=True) if each is not None
            )
            yield (
                "each emotion" if by_class else "all together",
                f"{level:.0%}",
                f"{found.coverage:.1%}",
                f"{found.coverage_sd:.1%}",
                f"{worst[0]:.1%} {worst[1]}",
                f"{found.mean_size:.2f}",
                f"{found.single:.0%}",
            )


def risks(bench: Bench) -> Iterator[Row]:
    yield "wanted at most", "threshold found", "mean error there", "above the wanted", "answered"
    for risk in (0.02, 0.05, 0.1):
        found = risk_over_splits(bench.probs_NC, bench.labels_N, risk, splits=bench.repeats)
        yield (
            f"{risk:.0%}",
            f"{found.found} of {bench.repeats}",
            "" if found.mean_risk is None else f"{found.mean_risk:.1%}",
            "" if found.exceeded is None else f"{found.exceeded:.1%} of the splits",
            "" if found.coverage is None else f"{found.coverage:.0%}",
        )


def adapting(bench: Bench) -> Iterator[Row]:
    """The data is shifted; labels are drawn three times (once with --quick), and all other faces judge."""
    yield (
        "classes",
        "labels",
        "chosen",
        "helps",
        "before",
        "after, by cross-validation",
        "gain, 95 %",
        "rest before",
        "rest after",
    )
    three = tuple(sorted({*THREE.values(), "negative"}))
    in_three_N = np.array([three.index(THREE.get(bench.labels[each], "negative")) for each in bench.labels_N])
    for what, classes, truth_N in (("its own", bench.labels, bench.labels_N), ("three others", three, in_three_N)):
        for count in (each for each in (20, 100, 500) if 2 * each < len(truth_N)):  # the rest judges
            for draw in range(3 if bench.repeats == 200 else 1):
                known_N = np.zeros(len(truth_N), dtype=bool)
                order_N = np.random.default_rng(draw).permutation(len(truth_N))
                known_N[order_N[:count]] = True
                for each in range(len(classes)) if classes == three else ():  # nobody teaches a class with one face
                    known_N[order_N[truth_N[order_N] == each][:2]] = True
                found = adapt(bench.shifted.take(known_N), truth_N[known_N], classes, bench.labels, seed=draw)
                rest = bench.shifted.take(~known_N)
                after = (found.readout(rest).argmax(axis=1) == truth_N[~known_N]).mean()
                if classes == bench.labels:
                    before = (rest.log_probs_NC.argmax(axis=1) == truth_N[~known_N]).mean()
                else:
                    before = np.bincount(truth_N[~known_N]).max() / (~known_N).sum()
                low, high = found.accuracy_gain_95
                yield (
                    what,
                    str(count),
                    found.method,
                    "yes" if found.helps else "no",
                    f"{found.before.accuracy:.1%}",
                    f"{found.after.accuracy:.1%}",
                    f"{100 * low:+.1f} to {100 * high:+.1f}",
                    f"{before:.1%}",
                    f"{after:.1%}",
                )


def scores(bench: Bench) -> Iterator[Row]:
    yield "score", "AURC", "error at 50 %", "at 80 %", "at 80 % against all", "AURC less that of confidence, 95 %"
    more = fitted_scores(bench.probs_NC, bench.labels_N, bench.evidence.features_NK)
    for each in compare_scores(bench.probs_NC, bench.labels_N, more):
        half = each.risk[int(np.searchsorted(each.coverage, 0.5))]
        low, high = each.aurc_less_confidence_95
        yield (
            each.name,
            f"{each.aurc:.4f}",
            f"{half:.1%}",
            f"{each.error_at_80:.1%}",
            f"{each.share_at_80:.2f}",
            f"{low:+.4f} to {high:+.4f}",
        )


def groups(bench: Bench) -> Iterator[Row]:
    """Three columns of 2, 4 and 6 random groups; the gap lies in one of the six."""
    yield "planted gap", "found", "95 %", "something else reported"
    said_N, n = bench.probs_NC.argmax(axis=1), len(bench.labels_N)
    for gap in (0.0, 0.05, 0.1, 0.15):
        found = others = 0
        for seed in range(bench.repeats):
            rng = np.random.default_rng(1000 + seed)
            columns = {f"c{k}": Column(tuple("abcdef"[:k]), rng.integers(0, k, n)) for k in (2, 4, 6)}
            probs_NC, mine_N = bench.probs_NC.copy(), columns["c6"].index_N == 0
            right = np.flatnonzero(mine_N & (said_N == bench.labels_N))
            spoilt = rng.choice(right, round(gap * mine_N.sum()), replace=False)
            other = (bench.labels_N[spoilt] + rng.integers(1, len(bench.labels), len(spoilt))) % len(bench.labels)
            kept = probs_NC[spoilt, bench.labels_N[spoilt]].copy()
            probs_NC[spoilt, bench.labels_N[spoilt]] = probs_NC[spoilt, other]
            probs_NC[spoilt, other] = kept
            shown = {
                (each.column, each.group)
                for each in compare_groups(probs_NC, bench.labels_N, columns, shuffles=300, seed=seed).gaps
                if each.shown
            }
            found += ("c6", "a") in shown
            others += bool(shown - {("c6", "a")}) if gap else bool(shown)
        shown_share = "" if not gap else f"{found} of {bench.repeats}"
        low, high = wilson_interval(found if gap else others, bench.repeats)
        yield f"{100 * gap:.0f} points", shown_share, f"{low:.1%} to {high:.1%}", f"{others} of {bench.repeats}"


def drift(bench: Bench) -> Iterator[Row]:
    """Each time half of the faces are the reference; cameras are drawn from the other half, or its shifted copies."""
    yield "camera", "appearances", "alarms", "95 %", "said to be unlike"
    n, counts = len(bench.labels_N), (30, 100, 400)
    cameras = {
        "the same": (bench.probs_NC, bench.faces_NSS),
        "15 % darker": (bench.probs_NC, (bench.faces_NSS * 0.85).astype(np.uint8)),
        "shifted as for adapt": (np.exp(bench.shifted.log_probs_NC), bench.shifted_NSS),
    }
    alarms = {(name, count): 0 for name in cameras for count in counts}
    unlike = dict(alarms)
    for seed in range(bench.repeats):
        order_N = np.random.default_rng(seed).permutation(n)
        whole = Tally(bench.labels)
        whole.add_each(bench.probs_NC[order_N[n // 2 :]], bench.faces_NSS[order_N[n // 2 :]], None)
        reference = Reference.of(whole, "the other half")
        for name, (probs_NC, faces_NSS) in cameras.items():
            for count in counts:
                seen = Tally(bench.labels)
                seen.add_each(probs_NC[order_N[:count]], faces_NSS[order_N[:count]], None)
                found = compare(reference, seen, draws=1000, seed=seed)
                alarms[name, count] += bool(found.drifted)
                unlike[name, count] += found.alike is False
    for (name, count), found_times in alarms.items():
        low, high = wilson_interval(found_times, bench.repeats)
        times = f"{found_times} of {bench.repeats}"
        yield name, str(count), times, f"{low:.1%} to {high:.1%}", f"{unlike[name, count]} of {bench.repeats}"


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "sets": sets,
    "risks": risks,
    "adapt": adapting,
    "scores": scores,
    "groups": groups,
    "drift": drift,
}


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--model", default="base-int8")
    parser.add_argument("--votes", type=Path, help="FER+'s votes, where they are not beside the data")
    parser.add_argument("--out", type=Path, help="write the tables here too")
    options = quick.parse(parser)
    bench = opened(options.data, options.votes, options.model, options.quick)
    right, shifted = (each.log_probs_NC.argmax(axis=1) == bench.labels_N for each in (bench.evidence, bench.shifted))
    lines = [f"{options.model}, {len(bench.labels_N):,} faces: {right.mean():.1%} right, shifted {shifted.mean():.1%}"]
    print(lines[0], flush=True)
    for name in options.parts:
        started_s, first = time.perf_counter(), len(lines)
        for row in PARTS[name](bench):
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
            if len(lines) == first + 1:
                lines.append("|---" * len(row) + "|")
                print(lines[-1])
        lines.append("")
        print(f"{name}: {time.perf_counter() - started_s:.0f} s\n", file=sys.stderr, flush=True)
    if options.out is not None:
        options.out.write_text("\n".join([lines[0], "", *lines[1:]]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
