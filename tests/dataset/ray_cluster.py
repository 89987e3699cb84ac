"""A Ray cluster on this machine in a process of its own: a head that makes nothing, and worker nodes of one processor.

As a program it is driven over a pipe: for each line "kill" it kills a worker node, for each "add" it adds one, and
answers with their number. At the end of its input it stops the cluster.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

_STORE_BYTES = 100 * 2**20
_ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_period_ms": "500",  # what a loss costs is how long it takes to be seen
    "RAY_health_check_failure_threshold": "3",
}


class RayCluster:
    """Starts the cluster, and stops it at the end of a `with` block."""

    def __init__(self, num_workers: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(num_workers)],
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._answer()

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def kill_node(self) -> int:
        """Kill a worker node; returns how many are left."""
        return self._tell("kill")

    def add_node(self) -> int:
        """Add a worker node; returns how many there are."""
        return self._tell("add")

    def _tell(self, word: str) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer, "the cluster has ended"
        return answer


def main() -> None:
    from ray.cluster_utils import Cluster

    def answer(text: object) -> None:
        print(text, flush=True)  # noqa: T201

    worker: dict[str, Any] = {"num_cpus": 1, "object_store_memory": _STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**worker, "num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(**worker) for _ in range(int(sys.argv[1]))]
    answer(cluster.address)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            nodes.append(cluster.add_node(**worker))
        answer(len(nodes))
    cluster.shutdown()


if __name__ == "__main__":
    main()
