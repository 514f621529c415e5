"""Cores and processes: pinning a measurement, and what a tree of processes costs."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import httpx
import psutil

ALL_CORES = sorted(os.sched_getaffinity(0))
READY_WITHIN_S = 120.0


@contextmanager
def pinned(cores: Sequence[int]) -> Iterator[None]:
    """Run the block, and the processes it starts, on these cores only."""
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ALL_CORES)


def tree(process: psutil.Process) -> list[psutil.Process]:
    """A process and all below it."""
    return [process, *process.children(recursive=True)]


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of the living processes of a tree."""
    total = 0.0
    for member in tree(process):
        with suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            total += times.user + times.system
    return total


def memory_mb(process: psutil.Process) -> float:
    """Memory of a tree in MB, shared pages divided among those who share them (PSS)."""
    total = 0
    for member in tree(process):
        with suppress(psutil.NoSuchProcess):
            total += member.memory_full_info().pss
    return total / 1e6


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def service(command: Sequence[str], *, port: int, ready_path: str) -> Iterator[tuple[psutil.Process, float]]:
    """Run a server while the block runs; yield its process and the seconds from start to its first 200.

    Raises:
        RuntimeError: if it ends or does not answer in time.
    """
    started = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while time.perf_counter() - started < READY_WITHIN_S:
            if server.poll() is not None:
                raise RuntimeError(f"the server ended with exit code {server.returncode}: {' '.join(command)}")
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}{ready_path}", timeout=1).is_success:
                    break
            time.sleep(0.02)
        else:
            raise RuntimeError(f"the server was not ready in {READY_WITHIN_S:.0f} s: {' '.join(command)}")
        yield psutil.Process(server.pid), time.perf_counter() - started
    finally:
        server.terminate()
        server.wait(30)
