"""Spreads groups that must not be torn apart over splits, so that every genre keeps its proportions.

scikit-learn's StratifiedGroupKFold makes k equal parts and needs k groups of every class; here the parts are unequal
and a genre may have three artists, so this searches directly: greedy from the largest group down, then the best single
move while there is one, from several seeded starts.
"""

import numpy as np
import numpy.typing as npt

STARTS = 8
"""Searches, the best of which is taken; among more than MANY groups one is enough, all end close to the target."""
MANY = 1000
EMPTY = 1e3
"""Cost of a genre without a clip in some split: more than any imbalance."""

Counts = npt.NDArray[np.float64]


def balance(groups_KG: Counts, fractions_S: Counts, *, seed: int) -> npt.NDArray[np.int64]:
    """Assign each of K groups to one of S splits.

    Args:
        groups_KG: how many clips of each of G genres a group has.
        fractions_S: share of the clips that each split should get; sums to 1.
        seed: decides between equally good answers; the same input and seed give the same answer.

    Returns:
        int64 [K], the split of each group.
    """
    generator = np.random.default_rng(seed)
    total_G = groups_KG.sum(axis=0)
    target_SG = fractions_S[:, None] * total_G
    weight_SG = 1 / (target_SG * total_G)  # relative to the target, and every genre counts the same
    best, best_cost = np.zeros(len(groups_KG), np.int64), np.inf
    for _ in range(STARTS if len(groups_KG) <= MANY else 1):
        search = _Search(groups_KG, target_SG, weight_SG)
        search.greedy(generator.permutation(len(groups_KG)))
        search.improve()
        if search.cost < best_cost - 1e-12:
            best, best_cost = search.split_K, search.cost
    return best


class _Search:
    """One assignment on its way; `have_SG` counts the clips per split and genre."""

    def __init__(self, groups_KG: Counts, target_SG: Counts, weight_SG: Counts) -> None:
        self.groups_KG, self.target_SG, self.weight_SG = groups_KG, target_SG, weight_SG
        self.split_K = np.zeros(len(groups_KG), np.int64)
        self.have_SG = np.zeros_like(target_SG)

    @property
    def cost(self) -> float:
        return float(self._cost(self.have_SG).sum())

    def _cost(self, have_xSG: Counts) -> Counts:
        cost_xSG = (have_xSG - self.target_SG) ** 2 * self.weight_SG + EMPTY * (have_xSG < 0.5)
        cost_xS: Counts = cost_xSG.sum(axis=-1)
        return cost_xS

    def greedy(self, order_K: npt.NDArray[np.int64]) -> None:
        sizes = self.groups_KG[order_K].sum(axis=1)
        for group in order_K[np.argsort(-sizes, kind="stable")]:
            counts_G = self.groups_KG[group]
            gain_S = self._cost(self.have_SG + counts_G) - self._cost(self.have_SG)
            chosen = int(np.argmin(gain_S))
            self.split_K[group] = chosen
            self.have_SG[chosen] += counts_G

    def improve(self) -> None:
        groups = np.arange(len(self.groups_KG))
        for _ in range(2 * len(groups)):  # each move lowers the cost; the bound only guards against rounding
            now_S = self._cost(self.have_SG)
            joined_KS = self._cost(self.have_SG + self.groups_KG[:, None, :]) - now_S
            left_KS = self._cost(self.have_SG - self.groups_KG[:, None, :]) - now_S
            change_KS = joined_KS + left_KS[groups, self.split_K][:, None]
            change_KS[groups, self.split_K] = 0.0
            group, target = np.unravel_index(np.argmin(change_KS), change_KS.shape)
            if change_KS[group, target] > -1e-9:
                return
            self.have_SG[self.split_K[group]] -= self.groups_KG[group]
            self.have_SG[target] += self.groups_KG[group]
            self.split_K[group] = target
