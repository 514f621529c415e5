"""The endpoint under load beside decoding alone and beside the seed's own stack."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.audio import decode_rate
from tests.bench.figures import Figure
from tests.bench.load import LoadResult, drive
from tests.bench.machine import ALL_CORES, cpu_seconds, free_port, memory_mb, pinned, service

CONNECTIONS = (1, 8, 32)
SEED_APP = Path("../shared/bench/seed_stack.py")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A service measured at one number of connections."""

    load: LoadResult
    cpu_s: float  # of the service's processes, a request


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A service measured from its start to its stop."""

    ready_s: float
    idle_mb: float
    at: dict[int, Loaded]


def measure(
    command: Sequence[str], *, port: int, ready: str, files: list[Path], connections: Sequence[int], requests: int
) -> Measured:
    """Start a service, load it with each number of connections, stop it."""
    url = f"http://127.0.0.1:{port}"
    with service(command, port=port, ready_path=ready) as (process, ready_s):
        idle_mb = memory_mb(process)
        drive(url, files, connections=8, requests=32)
        at = {}
        for count in connections:
            before = cpu_seconds(process)
            load = drive(url, files, connections=count, requests=requests)
            if load.statuses[200] != requests:
                raise RuntimeError(f"{command[:4]} answered {dict(load.statuses)} at {count} connections")
            at[count] = Loaded(load=load, cpu_s=(cpu_seconds(process) - before) / requests)
        return Measured(ready_s=ready_s, idle_mb=idle_mb, at=at)


def timbre_command(model: Path, port: int) -> list[str]:
    """The service as a user starts it."""
    return [sys.executable, "-m", "timbre.cli.main", "serve", "--model", str(model), "--port", str(port)]


def seed_command(venv: Path, port: int) -> list[str]:
    """The seed's stack as its header says, one process a core."""
    app = [f"--app-dir={SEED_APP.parent}", "seed_stack:app", f"--port={port}", f"--workers={len(ALL_CORES)}"]
    return [str(venv / "bin" / "uvicorn"), *app, "--log-level=warning"]


def figures(files: list[Path], model: Path, seed_venv: Path | None) -> list[Figure]:
    """Rates, latencies, processor time, start and memory; the seed's stack beside them if its environment is given."""
    rows: list[Figure] = []
    port = free_port()
    command = timbre_command(model, port)
    rates: dict[int, float] = {}
    for cores in (ALL_CORES[:1], ALL_CORES):
        amount, on = files[: 80 * len(cores)], str(len(cores))
        before = decode_rate(amount, cores)
        with pinned(cores):
            ours = measure(
                command, port=port, ready="/ready", files=files, connections=CONNECTIONS, requests=len(amount)
            )
        rates[len(cores)] = (before + decode_rate(amount, cores)) / 2
        for count in CONNECTIONS:
            load = ours.at[count].load
            name = f"endpoint, {count} connections"
            rows += [
                Figure(
                    name=name,
                    cores=on,
                    value=load.rate,
                    unit="requests/s",
                    # One connection has one request under way, which one core decodes.
                    reference_name="decode, one core" if count == 1 else "decode",
                    reference=rates[1] if count == 1 else rates[len(cores)],
                    at_least=0.5,
                ),
                Figure(name=name, cores=on, value=load.latency_ms(50), unit="ms, p50"),
                Figure(name=name, cores=on, value=load.latency_ms(99), unit="ms, p99"),
                Figure(name=name, cores=on, value=ours.at[count].cpu_s, unit="CPU s/request"),
            ]
    rows += [
        Figure(name="timbre serve, start to ready", cores=on, value=ours.ready_s, unit="s", at_most=4.0),
        Figure(name="idle service, all processes (PSS)", cores=on, value=ours.idle_mb, unit="MB", at_most=600),
    ]
    return rows + (beside_seed(files, ours, seed_venv) if seed_venv else [])


def beside_seed(files: list[Path], ours: Measured, venv: Path) -> list[Figure]:
    """Our figures beside those of the seed's stack, on all cores."""
    port = free_port()
    command = seed_command(venv, port)
    seed = measure(command, port=port, ready="/docs", files=files, connections=CONNECTIONS, requests=len(files) // 2)
    rows = []
    on = str(len(ALL_CORES))
    for count in CONNECTIONS:
        mine, theirs = ours.at[count], seed.at[count]
        pairs = (
            ("requests/s", mine.load.rate, theirs.load.rate, 2.5 if count == 8 else None),
            ("ms, p50", mine.load.latency_ms(50), theirs.load.latency_ms(50), None),
            ("ms, p99", mine.load.latency_ms(99), theirs.load.latency_ms(99), None),
            ("CPU s/request", mine.cpu_s, theirs.cpu_s, None),
        )
        for unit, value, reference, at_least in pairs:
            name = f"beside the seed, {count} connections"
            rows.append(
                Figure(
                    name=name,
                    cores=on,
                    value=value,
                    unit=unit,
                    reference_name="seed",
                    reference=reference,
                    at_least=at_least,
                )
            )
    return rows
