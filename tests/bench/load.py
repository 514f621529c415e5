"""A load client: uploads files over a fixed number of connections and times every answer."""

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

BOUNDARY = "timbre-load-0f9d2c"


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What a run of requests took.

    Attributes:
        seconds: from the first request to the last answer.
        latencies_s: of every request, in seconds.
        statuses: how many answers had which HTTP status.
    """

    seconds: float
    latencies_s: list[float]
    statuses: Counter[int]

    @property
    def rate(self) -> float:
        """Requests answered with 200 in a second."""
        return self.statuses[200] / self.seconds

    def latency_ms(self, percent: float) -> float:
        return float(np.percentile(self.latencies_s, percent)) * 1000


def multipart(path: Path) -> bytes:
    """A request body with one field `file`, built once so that the client costs little of the machine it measures."""
    disposition = 'Content-Disposition: form-data; name="file"; filename="clip.mp3"'
    head = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: audio/mpeg\r\n\r\n"
    return head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def drive(url: str, files: list[Path], *, connections: int, requests: int) -> LoadResult:
    """Post `requests` uploads over `connections` connections, each sending its next one when it has its answer."""
    return asyncio.run(_drive(url, [multipart(path) for path in files], connections, requests))


async def _drive(url: str, bodies: list[bytes], connections: int, requests: int) -> LoadResult:
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    turns = iter(zip(range(requests), itertools.cycle(bodies), strict=False))
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    async def connection(session: aiohttp.ClientSession) -> None:
        for _turn, body in turns:
            started = time.perf_counter()
            async with session.post(f"{url}/api/v1/predict", data=body, headers=headers) as answer:
                await answer.read()
            latencies.append(time.perf_counter() - started)
            statuses[answer.status] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        started = time.perf_counter()
        await asyncio.gather(*(connection(session) for _ in range(connections)))
        seconds = time.perf_counter() - started
    return LoadResult(seconds=seconds, latencies_s=latencies, statuses=statuses)
