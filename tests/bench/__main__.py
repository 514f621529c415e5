"""`make bench`: measures everything, prints one table, and writes it as JSON and, if asked, as Markdown."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import audio, graph, pipeline, service
from tests.bench.clips import thirty_second_mp3s
from tests.bench.figures import as_markdown, show, write_json

OUT = Path("outputs/bench/bench.json")
FILES = 320


def main() -> int:
    """Run the sections asked for; the exit code is 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seed-venv", type=Path, help="environment of the seed's stack, made as its header says")
    parser.add_argument(
        "--only", nargs="*", choices=("audio", "graph", "service", "pipeline"), help="measure these sections"
    )
    parser.add_argument("--markdown", type=Path, help="also write the table here")
    arguments = parser.parse_args()
    wanted = arguments.only or ["audio", "graph", "service", "pipeline"]
    rows = []
    with tempfile.TemporaryDirectory(prefix="timbre-bench-") as folder:
        files = thirty_second_mp3s(Path(folder), FILES)
        classifier, model = graph.untrained(Path(folder))
        sections = {
            "audio": lambda: audio.figures(files, model),
            "graph": lambda: graph.figures(classifier, model),
            "service": lambda: service.figures(files, model, arguments.seed_venv),
            "pipeline": lambda: pipeline.figures(files, Path(folder)),
        }
        for name in wanted:
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            rows += sections[name]()
            write_json(rows, OUT)  # after every section: what is measured stays measured
            if arguments.markdown:
                arguments.markdown.write_text(as_markdown(rows))
    show(rows)
    missed = [row.name for row in rows if row.met is False]
    print(f"{OUT}; targets missed: {', '.join(missed) or 'none'}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
