"""The front end's STFT and filter banks as dense algebra: what ONNX Runtime runs as fast as torch runs an FFT.

A frame of n_fft = N1 N2 samples is transformed in two steps (Cooley and Tukey 1965). With n = N2 n1 + n2 and
k = k1 + N1 k2,

    X[k] = sum over n2 of  e^(-2 pi i n2 k / n_fft)  .  sum over n1 of  e^(-2 pi i n1 k1 / N1) w[n] x[n]

1. The padded waveform is dealt out to N2 rows. One grouped convolution over them cuts the frames, applies the window
   and sums over n1. The waveform is real, so k1 = 0..N1/2 is enough.
2. One batched product over k1 sums over n2.
3. Squared and added, that is the power of every bin, some of them twice, in an order of its own; the columns of the
   filter banks are put into the same order and share what comes twice, so nothing is gathered.
4. A mel band hears few bins. The order of k2 is that of the frequencies, so neighbouring bands are one product with a
   slice of the bins.

Shapes: B examples, T samples, N frames, S steps of N2 samples, J = N2 remainders n2, Q = N1/2 + 1 remainders k1,
M bands.
"""

import math

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from timbre.features import Frontend

_FRAMES_AT_ONCE = 96
"""Frames of one pass, about: what goes from step to step (0.8 MB) then stays in a core's cache."""

_BANDS_A_COPY_COSTS = 30
"""Copying a slice of the bins takes about as long as this many bands' products with it."""


class FactoredBands(nn.Module):
    """Waveform [B, T] -> power in mel bands and pitch classes [B, M, N], as a front end has it, without an FFT.

    Args:
        frontend: whose window, hop and filters to take.
    """

    first: Tensor
    second: Tensor

    def __init__(self, frontend: Frontend) -> None:
        super().__init__()
        self.n_fft, self.hop_length = frontend.n_fft, frontend.hop_length
        self.frames = 1 + frontend.clip_samples // frontend.hop_length
        self.rows = row_count(self.n_fft, self.hop_length)
        self.passes = math.ceil(self.frames / _FRAMES_AT_ONCE)
        self.frames_at_once = math.ceil(self.frames / self.passes)
        self.register_buffer("first", _first_step(frontend.window, self.rows))
        self.register_buffer("second", _second_step(self.n_fft, self.rows))
        filters_MQJ = _in_our_order(frontend.filters, self.n_fft, self.rows)
        self.groups = nn.ModuleList(_Group(filters_MQJ[bands]) for bands in _groups(filters_MQJ))

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """Waveform [B, T] -> bands [B, M, N]."""
        parts_IT = self._parts(waveform_BT)
        if torch.compiler.is_exporting():
            start = parts_IT.new_zeros(1)  # a scan wants something to carry along
            bands_IMN = scan(lambda carry, part_T: (carry.clone(), self._bands(part_T)), start, parts_IT)[1]
        else:
            bands_IMN = torch.stack([self._bands(part_T) for part_T in parts_IT])
        bands_BPMN: Tensor = bands_IMN.reshape(-1, self.passes, *bands_IMN.shape[1:])
        return bands_BPMN.transpose(1, 2).flatten(2)[:, :, : self.frames]

    def _parts(self, waveform_BT: Tensor) -> Tensor:
        """Waveform [B, T] -> samples of all passes [B passes, samples]; neighbours share a frame less a hop."""
        half = self.n_fft // 2
        step = self.frames_at_once * self.hop_length
        overlap = self.n_fft - self.hop_length
        # Reflected at both ends and filled up to whole passes, in one copy; frames of the filling are dropped later.
        fill = (self.passes + 1) * step - self.n_fft - waveform_BT.shape[1]
        head_BT = waveform_BT[:, 1 : half + 1].flip(1)
        tail_BT = waveform_BT[:, -half - 1 : -1].flip(1)[:, : half + min(fill, 0)]
        fill_BT = waveform_BT[:, :1].expand(-1, max(fill, 0))
        padded_BT = torch.cat([head_BT, waveform_BT, tail_BT, fill_BT], dim=1)
        steps_BPT = padded_BT.reshape(-1, self.passes + 1, step)
        return torch.cat([steps_BPT[:, :-1], steps_BPT[:, 1:, :overlap]], dim=2).flatten(0, 1)

    def _bands(self, samples_T: Tensor) -> Tensor:
        """The samples of one pass -> bands [M, N]."""
        frames = self.frames_at_once
        rows_1JS = samples_T.reshape(1, -1, self.rows).transpose(1, 2)
        y_1CN = functional.conv1d(rows_1JS, self.first, stride=self.hop_length // self.rows, groups=self.rows)
        y_J2QN = y_1CN.reshape(self.rows, 2, -1, frames)
        y_Q2JN = y_J2QN.permute(2, 1, 0, 3).reshape(-1, 2 * self.rows, frames)
        z_Q2JN = self.second @ y_Q2JN
        real_QJN, imaginary_QJN = z_Q2JN[:, : self.rows], z_Q2JN[:, self.rows :]
        power_QJN = real_QJN * real_QJN + imaginary_QJN * imaginary_QJN
        return torch.cat([group(power_QJN) for group in self.groups])


class _Group(nn.Module):
    """Neighbouring bands, all of which hear a slice of the bins only: power [Q, J, N] -> bands [M, N]."""

    filters: Tensor

    def __init__(self, filters_MQJ: Tensor) -> None:
        super().__init__()
        self.heard = _heard(filters_MQJ)
        # A copy: views of one tensor in one scan are refused by the exporter.
        self.register_buffer("filters", filters_MQJ[:, :, self.heard].flatten(1).clone())

    def forward(self, power_QJN: Tensor) -> Tensor:
        return self.filters @ power_QJN[:, self.heard].flatten(0, 1)


def row_count(n_fft: int, hop_length: int) -> int:
    """N2: the divisor of frame and hop nearest below the square root of the frame; 1 makes a plain, slow DFT."""
    common = math.gcd(n_fft, hop_length)
    return max(divisor for divisor in range(1, math.isqrt(n_fft) + 1) if common % divisor == 0)


def _remainders(n_fft: int, rows: int) -> Tensor:
    """k1 = 0..N1/2."""
    return torch.arange(n_fft // rows // 2 + 1, dtype=torch.float64)


def _first_step(window: Tensor, rows: int) -> Tensor:
    """Window and DFT over n1: weights [J 2 Q, 1, N1] of a convolution in J groups, real parts before imaginary."""
    n_fft = len(window)
    taps = n_fft // rows
    angle_QN = -2 * math.pi / taps * _remainders(n_fft, rows)[:, None] * torch.arange(taps, dtype=torch.float64)
    dft_2QN = torch.stack([torch.cos(angle_QN), torch.sin(angle_QN)])
    window_JN = window.double().reshape(taps, rows).T
    return (dft_2QN * window_JN[:, None, None, :]).reshape(-1, 1, taps).float()


def _by_frequency(rows: int) -> Tensor:
    """k2 in the order of the frequencies it stands for, those above half the rate being mirrored: 0, J - 1, 1, ..."""
    k2 = torch.arange(rows)
    return torch.stack([k2, k2.flip(0)], dim=1).flatten()[:rows]


def _second_step(n_fft: int, rows: int) -> Tensor:
    """Twiddle and DFT over n2 as real matrices [Q, 2 J, 2 J], real parts before imaginary on both sides."""
    remainder_J = torch.arange(rows, dtype=torch.float64)
    bins_QJ = _remainders(n_fft, rows)[:, None] + n_fft // rows * _by_frequency(rows)
    angle_QJJ = -2 * math.pi / n_fft * bins_QJ[:, :, None] * remainder_J
    cos, sin = torch.cos(angle_QJJ), torch.sin(angle_QJJ)
    return torch.cat([torch.cat([cos, -sin], dim=2), torch.cat([sin, cos], dim=2)], dim=1).float()


def _in_our_order(filters_MF: Tensor, n_fft: int, rows: int) -> Tensor:
    """Filters [M, Q, J]: columns in the order k1, k2; a bin that comes twice is shared between its places."""
    k = _remainders(n_fft, rows)[:, None] + n_fft // rows * _by_frequency(rows)
    bins = torch.minimum(k, n_fft - k).long()
    times = torch.bincount(bins.flatten())
    return (filters_MF.double()[:, bins] / times[bins]).float()


def _heard(filters_MQJ: Tensor) -> slice:
    """The places on axis J that any of the filters hears."""
    places = filters_MQJ.count_nonzero(dim=(0, 1)).nonzero()
    return slice(int(places.min()), int(places.max()) + 1) if len(places) else slice(0, 1)


def _groups(filters_MQJ: Tensor) -> list[slice]:
    """Cut the bands into groups of neighbours so that the products and the copies of their slices cost least."""
    spans = [_heard(filters_MQJ[band : band + 1]) for band in range(len(filters_MQJ))]
    cheapest = [(0, 0)]  # for the first m bands: cost, and where their last group starts
    for end in range(1, len(spans) + 1):
        options = []
        low, high = spans[end - 1].start, spans[end - 1].stop
        for start in reversed(range(end)):
            low, high = min(low, spans[start].start), max(high, spans[start].stop)
            options.append((cheapest[start][0] + (end - start + _BANDS_A_COPY_COSTS) * (high - low), start))
        cheapest.append(min(options))
    groups, end = [], len(spans)
    while end:
        groups.append(slice(cheapest[end][1], end))
        end = groups[-1].start
    return groups[::-1]
