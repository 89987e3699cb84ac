"""Containers and batch jobs give a process a part of the machine, and say so in the files of its control group."""

from __future__ import annotations

import os

import pytest

from pix2pix_data import limits
from pix2pix_data.limits import limit_threads, memory_limit, num_processors

ALL = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def group(monkeypatch, tmp_path):
    """Say which group the process is in, and write what its files hold."""
    monkeypatch.setattr(limits, "_MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "_GROUPS", tmp_path / "groups")
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)

    def write(membership, files):
        (tmp_path / "cgroup").write_text(membership)
        for name, text in files.items():
            (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "groups" / name).write_text(text)

    return write


def test_without_groups_all_is_there(group):
    assert num_processors() == 64
    assert memory_limit() is None


@pytest.mark.parametrize(
    ("membership", "files", "processors", "memory"),
    [
        pytest.param(
            "0::/\n",
            {"cpu.max": "250000 100000\n", "memory.max": "2147483648\n"},
            3,
            2 << 30,
            id="a container has its share",
        ),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n"}, 64, None, id="no limit is none"),
        pytest.param(
            "0::/user.slice/job_7\n",
            {
                "user.slice/cpu.max": "400000 100000\n",
                "user.slice/job_7/cpu.max": "max 100000\n",
                "user.slice/memory.max": "max\n",
                "user.slice/job_7/memory.max": "1073741824\n",
            },
            4,
            1 << 30,
            id="the least of all groups above holds",
        ),
        pytest.param(
            "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n",
            {
                "cpu/cpu.cfs_quota_us": "50000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": "4294967296\n",
            },
            1,
            4 << 30,
            id="groups of version 1, and paths that only the host sees",
        ),
        pytest.param(
            "4:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            64,
            None,
            id="version 1 without limit",
        ),
    ],
)
def test_the_files_of_a_control_group_are_read(group, membership, files, processors, memory):
    group(membership, files)
    assert num_processors() == processors
    assert memory_limit() == memory


def test_threads_are_limited_where_time_is(group, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    limit_threads()
    assert "OMP_NUM_THREADS" not in os.environ
    group("0::/\n", {"cpu.max": "200000 100000\n"})
    limit_threads()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    limit_threads()
    assert os.environ["OMP_NUM_THREADS"] == "7"  # as the user said


def test_the_files_of_this_machine_can_be_read():
    assert 1 <= num_processors() <= ALL
    limit = memory_limit()
    assert limit is None or limit > 2**20
