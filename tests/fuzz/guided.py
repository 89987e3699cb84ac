"""Attack one target with inputs that a coverage-guided fuzzer finds; whatever ends it is kept in --out.

    pip install atheris
    python tests/fuzz/guided.py --target images --seconds 600 --out findings

What it may answer is told in targets.py. It ends with the first input that gives anything else, or takes over 10 s, or
2 GiB of memory; `--input FILE` runs one such file again.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    """Run libFuzzer in this process."""
    parser = argparse.ArgumentParser(description="Attack one target.")
    parser.add_argument("--target", required=True)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("findings"), help="where inputs that found something go")
    parser.add_argument("--input", type=Path, help="run this one alone")
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        raise SystemExit("atheris is not installed: pip install atheris (Linux, Python up to 3.13)") from None
    with atheris.instrument_imports(include=["pix2pix_data", "pix2pix_model"]):
        from targets import TARGETS
    if options.target not in TARGETS:
        raise SystemExit(f"there is no target {options.target!r}: choose from {', '.join(TARGETS)}")
    logging.disable(logging.CRITICAL)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work, corpus = Path(folder, "work"), Path(folder, "corpus")
        work.mkdir()
        corpus.mkdir()
        target = TARGETS[options.target](work)
        if options.input is not None:
            target.run(options.input.read_bytes())
            return
        for i, seed in enumerate(target.seeds):
            (corpus / str(i)).write_bytes(seed)
        limits = [f"-max_total_time={options.seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=65536"]
        atheris.Setup(
            [sys.argv[0], *limits, f"-artifact_prefix={options.out}/{options.target}-", str(corpus)], target.run
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
