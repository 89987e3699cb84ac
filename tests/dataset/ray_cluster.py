"""A Ray cluster of three nodes on this machine, driven over a pipe: a head that makes nothing, and two workers.

    python ray_cluster.py

Says the address, then for each line it is given: "kill" kills a worker node, "add" adds one; each is answered by the
number of worker nodes. At the end of its input it stops the cluster.
"""

from __future__ import annotations

import os
import sys

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# What a loss costs is how long it takes to be seen.
os.environ |= {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "3"}

from ray.cluster_utils import Cluster

STORE = {"object_store_memory": 100 * 2**20, "include_dashboard": False}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **STORE})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE["object_store_memory"]) for _ in range(2)]
    print(cluster.address, flush=True)  # noqa: T201
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            nodes.append(cluster.add_node(num_cpus=1, object_store_memory=STORE["object_store_memory"]))
        print(len(nodes), flush=True)  # noqa: T201
    cluster.shutdown()


if __name__ == "__main__":
    main()
