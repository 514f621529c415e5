"""A measured figure, its reference and its target; and the table they make."""

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: what was measured, beside what, and what was to be reached.

    `ratio` is value / reference; `at_least` or `at_most` bounds the ratio, or the value where there is no reference.
    """

    name: str
    cores: str
    value: float
    unit: str
    reference_name: str = ""
    reference: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.reference is None else self.value / self.reference

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        judged = self.value if self.ratio is None else self.ratio
        if self.at_least is not None:
            return judged >= self.at_least
        return None if self.at_most is None else judged <= self.at_most

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"


COLUMNS = ("figure", "cores", "value", "reference", "ratio", "target", "met")


def cells(figure: Figure) -> tuple[str, ...]:
    """The row of a figure as text."""
    reference = "" if figure.reference is None else f"{figure.reference_name} {figure.reference:.4g}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    return (figure.name, figure.cores, f"{figure.value:.4g} {figure.unit}", reference, ratio, figure.target, met)


def show(figures: list[Figure]) -> None:
    """Print the table on stdout."""
    table = Table(*COLUMNS)
    for figure in figures:
        table.add_row(*cells(figure))
    Console(width=170).print(table)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return {
        "processor": model,
        "cores": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def write_json(figures: list[Figure], path: Path) -> None:
    """Write the figures and the machine as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"machine": machine(), "figures": rows}, indent=2))


def as_markdown(figures: list[Figure]) -> str:
    """The table in Markdown, with the machine above it."""
    facts = "\n".join(f"- {key}: {value}" for key, value in machine().items())
    rows = [COLUMNS, tuple("---" for _ in COLUMNS), *(cells(figure) for figure in figures)]
    return facts + "\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
