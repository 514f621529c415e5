"""The wrong answers a classifier was surest of: the first place to look for bad labels and blind spots."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One wrong answer.

    Attributes:
        path: the clip, as the manifest names it.
        truth, answer: its genre, and the one answered.
        confidence: probability of the answer.
        probabilities: probability of every genre.
    """

    path: str
    truth: str
    answer: str
    confidence: float
    probabilities: dict[str, float]


def most_confident_mistakes(
    *, probabilities: ArrayLike, targets: ArrayLike, labels: Sequence[str], paths: Sequence[str], count: int = 12
) -> list[Mistake]:
    """The `count` wrong answers of highest confidence, surest first; ties keep the order of the clips."""
    p = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(targets, dtype=np.int64)
    answers, confidence = p.argmax(axis=1), p.max(axis=1)
    wrong = np.flatnonzero(answers != y)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [
        Mistake(
            path=paths[index],
            truth=labels[y[index]],
            answer=labels[answers[index]],
            confidence=float(confidence[index]),
            probabilities=dict(zip(labels, p[index].tolist(), strict=True)),
        )
        for index in surest
    ]
