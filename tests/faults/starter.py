"""Starts commands as forks of a process that has imported all they import: a start takes no seconds, and a kill meets
the work and not the imports.

It speaks JSON, a line for each request on stdin and one for each answer on stdout: {"line": [...], "folder": ...,
"environment": {...}, "out": ..., "err": ..., "shift": [seconds, after seconds]} starts a command, in a group of its
own, and gives its process id; {"wait": id} waits for it and gives its exit code.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import threading
import time
import traceback
from importlib import import_module
from typing import Any

_MAINS = {
    "p2p-data": "pix2pix_data.cli",
    "p2p-train": "pix2pix_model.cli_train",
    "p2p-model": "pix2pix_model.cli_model",
}
_IMPORTED = {
    "p2p-data": (
        "cv2",
        "pyarrow.parquet",
        "sklearn.cluster",
        "pix2pix_data.dataset",
        "pix2pix_data.check",
        "pix2pix_data.report",
    ),
    "p2p-train": ("torch._dynamo", "torch.utils.tensorboard.writer", "pix2pix_model.train"),
    "p2p-model": (
        "torch.onnx",
        "onnxscript",
        "pix2pix_model.translate",
        "pix2pix_model.evaluate",
        "pix2pix_model.export",
    ),
}


def preload(programs: list[str]) -> None:
    """Import what these programs import on their way."""
    from pix2pix_data.makers import PAIR_MAKERS

    for program in programs:
        for module in (_MAINS[program], *_IMPORTED[program]):
            import_module(module)
    for name in PAIR_MAKERS.names():
        PAIR_MAKERS.get(name)
    # onnxruntime is left out: its thread is missing in a fork, which then aborts.
    # What reads its settings from the environment when it is imported must be imported by the command.
    assert "huggingface_hub" not in sys.modules


def shift_clock(shift_s: int, after_s: float) -> None:
    """Let the clock jump, some time from now."""
    real, real_ns, began = time.time, time.time_ns, time.monotonic()

    def shift() -> int:
        return shift_s if time.monotonic() - began > after_s else 0

    time.time = lambda: real() + shift()
    time.time_ns = lambda: real_ns() + shift() * 10**9


def become(line: list[str], request: dict[str, Any]) -> None:
    """Be a command from here on, until it ends."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, name in enumerate((os.devnull, request["out"], request["err"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    if request["shift"]:
        shift_clock(*request["shift"])
    sys.argv = line
    code: object = 0
    try:
        import_module(_MAINS[line[0]]).main()
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    # As an interpreter ends, but for taking apart, object by object, what was imported: that takes a second.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    preload(sys.argv[1:])
    gc.freeze()
    # The child must not read what is meant for this process, nor write what waits in its buffers.
    requests, answers = os.fdopen(os.dup(0), "rb", buffering=0), os.dup(1)
    os.write(answers, b"0\n")  # ready
    while line := requests.readline():
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        elif not (answer := os.fork()):
            requests.close()
            os.close(answers)
            become(request["line"], request)
        os.write(answers, f"{answer}\n".encode())


if __name__ == "__main__":
    main()
