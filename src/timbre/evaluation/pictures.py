"""The pictures of a report, drawn off screen: no window, no global state, any label or file name."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from timbre.evaluation.bootstrap import Estimate
from timbre.evaluation.measure import Measurement
from timbre.evaluation.mistakes import Mistake

INK, GREY, ANSWER, TRUTH = "#1f2933", "#c3cad2", "#d1603d", "#2f6f9f"
"""Two colours that colour-blind readers tell apart, and two greys."""

ANNOTATED_GENRES = 24
"""Above this many genres the cells of a confusion matrix are too small for numbers."""

BARS = 4
"""Genres shown for each mistake."""


def draw_confusion(measurement: Measurement, path: Path) -> None:
    """The confusion matrix: counts in the cells, colour by share of the true genre's clips."""
    counts, labels = measurement.confusion, measurement.labels
    genres = len(labels)
    support = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    side = float(np.clip(2.6 + 0.62 * genres, 5, 26))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if genres <= ANNOTATED_GENRES:
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                colour = "white" if share[row, column] > 0.55 else INK
                text = f"{counts[row, column]}\n{share[row, column]:.0%}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    ticks = range(genres)
    axes.set_xticks(ticks, labels=list(labels), rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(
        ticks,
        labels=[f"{label} ({clips})" for label, clips in zip(labels, counts.sum(axis=1), strict=True)],
        parse_math=False,
    )
    axes.set_xticks(np.arange(genres + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(genres + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("answered")
    axes.set_ylabel("true genre (clips)")
    axes.set_title(f"Accuracy {_shown(measurement.headlines['accuracy'])}", fontsize=11)
    figure.colorbar(image, ax=axes, label="share of the true genre's clips", fraction=0.046)
    _save(figure, path)


def draw_reliability(measurement: Measurement, path: Path) -> None:
    """The reliability diagram: what share was right among clips answered with a given confidence."""
    figure = Figure(figsize=(6, 6.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [bin_ for bin_ in measurement.bins if bin_.clips]
    width = measurement.bins[0].high - measurement.bins[0].low
    middle = [(bin_.low + bin_.high) / 2 for bin_ in filled]
    accuracy = np.array([bin_.accuracy for bin_ in filled])
    low, high = _wilson(accuracy, np.array([bin_.clips for bin_ in filled]))
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", zorder=1)
    upper.bar(middle, accuracy, width=width * 0.92, color=TRUTH, alpha=0.35, zorder=2)
    confidence = [bin_.confidence for bin_ in filled]
    upper.vlines(confidence, low, high, color=TRUTH, linewidth=1.5, zorder=3)
    upper.scatter(confidence, accuracy, color=TRUTH, s=28, zorder=4)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share answered right")
    mean, limit = measurement.ece_if_calibrated
    upper.set_title(
        f"Expected calibration error {_shown(measurement.headlines['ece'])}\n"
        f"a perfectly calibrated classifier: {mean:.3f}, below {limit:.3f} in 95 of 100 such sets",
        fontsize=10,
    )
    figure.legend(
        handles=[
            Line2D([], [], color=GREY, linestyle="--", label="perfectly calibrated"),
            Line2D([], [], color=TRUTH, marker="o", label="measured, 95 % Wilson interval"),
        ],
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    lower.bar(middle, [bin_.clips for bin_ in filled], width=width * 0.92, color=GREY)
    lower.set(xlabel="confidence", ylabel="clips")
    _save(figure, path)


def draw_mistakes(mistakes: Sequence[Mistake], path: Path) -> None:
    """One panel per mistake: the file, and the probabilities of its likeliest genres and the true one."""
    columns = 3
    rows = max(1, -(-len(mistakes) // columns))
    figure = Figure(figsize=(12, 0.7 + 1.75 * rows), layout="constrained")
    panels: list[Axes] = list(np.atleast_1d(figure.subplots(rows, columns)).ravel())
    for panel, mistake in zip(panels, mistakes, strict=False):
        _draw_mistake(panel, mistake)
    for panel in panels[len(mistakes) :]:
        panel.set_axis_off()
    if not mistakes:
        figure.suptitle("No mistakes")
    else:
        figure.suptitle("The most confident mistakes", fontsize=12)
        figure.legend(
            handles=[Patch(color=ANSWER, label="answered"), Patch(color=TRUTH, label="true genre")],
            loc="outside lower center",
            ncols=2,
            frameon=False,
        )
    _save(figure, path)


def _draw_mistake(axes: Axes, mistake: Mistake) -> None:
    ranked = sorted(mistake.probabilities.items(), key=lambda item: -item[1])[:BARS]
    if mistake.truth not in dict(ranked):
        ranked[-1] = (mistake.truth, mistake.probabilities[mistake.truth])
    colours = {mistake.answer: ANSWER, mistake.truth: TRUTH}
    positions = np.arange(len(ranked))[::-1]
    values = [value for _, value in ranked]
    axes.barh(positions, values, color=[colours.get(label, GREY) for label, _ in ranked], height=0.7)
    for position, value in zip(positions, values, strict=True):
        inside = value > 0.85
        place, colour = (value - 0.09, "white") if inside else (value + 0.01, INK)
        axes.text(place, position, f"{value:.2f}", va="center", fontsize=8, color=colour)
    axes.set_yticks(positions, labels=[_shortened(label, 18) for label, _ in ranked], fontsize=8, parse_math=False)
    for tick, (label, _) in zip(axes.get_yticklabels(), ranked, strict=True):
        if label == mistake.truth:  # its bar may be too short to show its colour
            tick.set(color=TRUTH, weight="bold")
    axes.set_xticks([])
    axes.set_xlim(0, 1)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_title(_shortened(mistake.path, 44), fontsize=8, loc="left", parse_math=False)


def _shortened(text: str, length: int) -> str:
    """The text with its middle left out if it is longer than `length`: the ends of a path tell most."""
    keep = (length - 1) // 2
    return text if len(text) <= length else f"{text[:keep]}…{text[-keep:]}"


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _wilson(share: NDArray[np.float64], clips: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's 95 % interval of a share, which unlike the usual one behaves at 0, at 1 and with few clips."""
    z = 1.96
    centre = (share + z**2 / (2 * clips)) / (1 + z**2 / clips)
    half = z / (1 + z**2 / clips) * np.sqrt(share * (1 - share) / clips + z**2 / (4 * clips**2))
    return centre - half, centre + half


def _save(figure: Figure, path: Path) -> None:
    with warnings.catch_warnings():
        # A genre or file in a script the font lacks is drawn as boxes; the report's text has it in full.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        figure.savefig(path, dpi=110, facecolor="white")
