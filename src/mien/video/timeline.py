"""The emotions of each person over time, as an SVG that any browser shows.

    Path("lecture.svg").write_text(timeline_svg(tracks), encoding="utf-8")

One band for each person; at every moment it is filled with the mean scores, the most frequent emotion at the bottom.
Where the person was not seen the band is empty. The colours are those of the annotated pictures.

Not here: the figures behind it (track_summary.py).

Shape legend: C emotions; widths and heights in pixels.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR
from mien.recognition.drawing import INK, MUTED, TRACK
from mien.video.track_summary import Person, TrackSummary

MOST_PEOPLE = 12
"""Bands; the least seen people are left out, and the caption says how many."""

SHORTEST_S = 1.0
"""Who was seen for less is left out likewise: mostly false alarms."""

WIDTH, LEFT, RIGHT = 960, 132, 28
TOP, BAND, GAP, BOTTOM = 96, 74, 22, 44
TICKS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def timeline_svg(tracks: TrackSummary) -> str:
    """Draw the people of a video over time.

    Args:
        tracks: of the whole video.

    Returns:
        A complete SVG document.
    """
    people = [each for each in tracks.people() if each.to_s - each.from_s >= SHORTEST_S][:MOST_PEOPLE]
    people.sort(key=lambda person: person.from_s)
    height = TOP + max(1, len(people)) * (BAND + GAP) + BOTTOM
    begin_s = tracks.from_s or 0.0
    length_s = max(tracks.to_s - begin_s, 1e-3)
    shown_s = max(length_s, tracks.stretch_s)
    scale = (WIDTH - LEFT - RIGHT) / shown_s
    left_out = len(tracks.people()) - len(people)
    caption = f"{clock(length_s)} · {tracks.frames:,} frames · {len(tracks.people())} people"
    if left_out:
        caption += (
            f", {left_out} of them seen too briefly to show" if len(people) < MOST_PEOPLE else f", {left_out} not shown"
        )
    name = escape(Path(tracks.source).name)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif" role="img">',
        f"<title>Emotions over time: {name}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="28" y="38" font-size="19" font-weight="600" fill="{INK}">{name}</text>',
        f'<text x="{WIDTH - RIGHT}" y="38" font-size="13" text-anchor="end" fill="{MUTED}">{caption}</text>',
        *_legend(tracks.labels),
    ]
    foot = TOP + max(1, len(people)) * (BAND + GAP) - GAP
    parts += _axis(begin_s, shown_s, scale, foot)
    if not people:
        parts.append(f'<text x="{WIDTH / 2}" y="{TOP + BAND / 2}" font-size="14" text-anchor="middle" fill="{MUTED}">')
        parts.append("nobody was seen for a second or longer</text>")
    for row, person in enumerate(people):
        parts += _band(tracks, person, TOP + row * (BAND + GAP), scale)
    return "\n".join([*parts, "</svg>", ""])


def clock(seconds: float) -> str:
    """Seconds as a clock shows them: 0:07, 12:05, 1:02:03; below ten seconds with a tenth."""
    if round(seconds, 1) < 10 and seconds % 1:
        return f"0:{seconds:04.1f}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _legend(labels: tuple[str, ...]) -> list[str]:
    parts, x = [], 28.0
    for label in labels:
        colour = EMOTION_COLOURS.get(label, OTHER_COLOUR)
        parts.append(f'<rect x="{x:g}" y="56" width="13" height="13" rx="3" fill="{colour}"/>')
        parts.append(f'<text x="{x + 19:g}" y="67" font-size="13" fill="{INK}">{escape(label)}</text>')
        x += 19 + 7.6 * len(label) + 22
    return parts


def _axis(begin_s: float, shown_s: float, scale: float, foot: float) -> list[str]:
    step_s = next((step for step in TICKS_S if shown_s / step <= 10), TICKS_S[-1])
    parts = []
    for tick in np.arange(np.ceil(begin_s / step_s) * step_s, begin_s + shown_s + 1e-9, step_s):
        x, y = LEFT + (tick - begin_s) * scale, foot + 27
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{foot + 8:g}" stroke="{TRACK}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{y:g}" font-size="12" text-anchor="middle" fill="{MUTED}">{clock(tick)}</text>'
        )
    return parts


def _band(tracks: TrackSummary, person: Person, top: float, scale: float) -> list[str]:
    mean_C = person.sum_C / person.frames
    order = np.argsort(-mean_C, kind="stable")
    parts = [
        f'<text x="28" y="{top + BAND / 2 - 5:g}" font-size="14" font-weight="600" fill="{INK}">'
        f"Person {person.track_id}</text>",
        f'<text x="28" y="{top + BAND / 2 + 14:g}" font-size="12" fill="{MUTED}">'
        f"{escape(tracks.labels[order[0]])} {mean_C[order[0]]:.0%}</text>".replace("%", " %"),
        f'<rect x="{LEFT}" y="{top:g}" width="{WIDTH - LEFT - RIGHT}" height="{BAND}" rx="4" fill="{TRACK}"/>',
    ]
    for run in _runs(sorted(person.series)):
        # From where the person appeared to where they were lost, a corner in the middle of each stretch.
        start = max(run[0] * tracks.stretch_s, person.from_s - (tracks.from_s or 0.0))
        stop = min((run[-1] + 1) * tracks.stretch_s, person.to_s - (tracks.from_s or 0.0))
        x_P = LEFT + scale * np.array(
            [start, *((stretch + 0.5) * tracks.stretch_s for stretch in run), max(stop, start)]
        )
        x_P = np.maximum.accumulate(np.clip(x_P, x_P[0], x_P[-1]))
        shares = np.array([person.series[stretch][0] / person.series[stretch][1] for stretch in run])[:, order]
        edges = np.concatenate([np.zeros((len(run), 1)), np.cumsum(shares, axis=1)], axis=1)
        edges = np.concatenate([edges[:1], edges, edges[-1:]]).clip(0, 1)
        for place, label in enumerate(order):
            upper = [f"{x:.1f},{top + BAND * (1 - y):.1f}" for x, y in zip(x_P, edges[:, place + 1], strict=True)]
            lower = [f"{x:.1f},{top + BAND * (1 - y):.1f}" for x, y in zip(x_P, edges[:, place], strict=True)]
            colour = EMOTION_COLOURS.get(tracks.labels[label], OTHER_COLOUR)
            parts.append(f'<polygon points="{" ".join(upper + lower[::-1])}" fill="{colour}"/>')
    return parts


def _runs(stretches: list[int]) -> list[list[int]]:
    """Numbers that follow one another, together."""
    runs: list[list[int]] = []
    for stretch in stretches:
        if runs and stretch == runs[-1][-1] + 1:
            runs[-1].append(stretch)
        else:
            runs.append([stretch])
    return runs
