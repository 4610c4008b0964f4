"""Control groups of both versions, laid out in a folder as the kernel lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.services.machine.cgroup import GroupMemory, cpu_quota, group_memory
from qtui.services.machine.memory import capped, read_ram

GIB = 1 << 30
V1_NO_LIMIT = 0x7FFFFFFFFFFFF000


def put(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def v2_root(root: Path, group: str, mount_root: str = "/", mount: str = "/sys/fs/cgroup") -> Path:
    put(
        root / "proc/self",
        cgroup=f"0::{group}",
        mountinfo=(
            "23 1 0:20 / / rw - ext4 /dev/root rw\n"
            f"31 23 0:28 {mount_root} {mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
        ),
    )
    top = root / mount.replace("\\040", " ").lstrip("/")
    top.mkdir(parents=True)
    return top


def v1_root(root: Path, controller: str, group: str, mount_root: str = "/") -> Path:
    put(
        root / "proc/self",
        cgroup=f"9:name=systemd:/elsewhere\n4:{controller}:{group}\n0::/",
        mountinfo=f"35 31 0:32 {mount_root} /sys/fs/cgroup/{controller} rw - cgroup cgroup rw,{controller}",
    )
    top = root / f"sys/fs/cgroup/{controller}"
    top.mkdir(parents=True)
    return top


def test_v2_own_limit_and_reclaimable_cache(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/user.slice/app")
    put(
        top / "user.slice/app",
        memory__max=8 * GIB,
        memory__high="max",
        memory__current=6 * GIB,
        memory__stat=f"anon {2 * GIB}\nactive_file {1 * GIB}\ninactive_file {2 * GIB}\nslab_reclaimable 4096",
    )
    group = group_memory(64 * GIB, tmp_path)
    assert group == GroupMemory(8 * GIB, 6 * GIB, 3 * GIB + 4096)
    assert group.room == 5 * GIB + 4096


def test_v2_the_group_above_with_the_least_room_counts(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/user.slice/app")
    put(top / "user.slice/app", memory__max=8 * GIB, memory__current=GIB)
    put(top / "user.slice", memory__max=10 * GIB, memory__current=9 * GIB)
    assert group_memory(64 * GIB, tmp_path) == GroupMemory(10 * GIB, 9 * GIB)


def test_v2_memory_high_is_a_limit(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/app")
    put(top / "app", memory__max="max", memory__high=2 * GIB, memory__current=GIB)
    assert group_memory(64 * GIB, tmp_path) == GroupMemory(2 * GIB, GIB)


def test_v2_no_limit(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/app")
    put(top / "app", memory__max="max", memory__high="max", memory__current=GIB)
    assert group_memory(64 * GIB, tmp_path) is None


def test_v2_in_a_container_that_sees_the_hosts_path(tmp_path: Path) -> None:
    """Without a namespace of its own, the group's path is the host's, and the mount shows the part below."""
    top = v2_root(tmp_path, "/docker/abc/inner", mount_root="/docker/abc")
    put(top / "inner", memory__max=3 * GIB, memory__current=0)
    put(top, memory__max=2 * GIB, memory__current=0)
    assert group_memory(64 * GIB, tmp_path) == GroupMemory(2 * GIB, 0)


@pytest.mark.parametrize("group", ["/../../outside", "/somewhere/else"])
def test_v2_a_path_outside_the_mount_means_the_mount_itself(tmp_path: Path, group: str) -> None:
    top = v2_root(tmp_path, group, mount_root="/docker/abc" if group.startswith("/some") else "/")
    put(top, memory__max=2 * GIB, memory__current=GIB)
    put(top.parent / "outside", memory__max=1, memory__current=1)
    assert group_memory(64 * GIB, tmp_path) == GroupMemory(2 * GIB, GIB)


def test_a_mount_point_with_a_space(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/app", mount="/my\\040groups")
    assert top.name == "my groups"
    put(top / "app", memory__max=2 * GIB, memory__current=GIB)
    assert group_memory(64 * GIB, tmp_path) == GroupMemory(2 * GIB, GIB)


def test_v1_limit(tmp_path: Path) -> None:
    top = v1_root(tmp_path, "memory", "/docker/abc")
    stat = "cache 1\ntotal_active_file 100\ntotal_inactive_file 20\nhierarchical_memory_limit 99999999999"
    put(top / "docker/abc", memory__limit_in_bytes=4 * GIB, memory__usage_in_bytes=GIB, memory__stat=stat)
    put(top, memory__limit_in_bytes=V1_NO_LIMIT, memory__usage_in_bytes=30 * GIB)
    assert group_memory(64 * GIB, tmp_path) == GroupMemory(4 * GIB, GIB, 120)


def test_v1_limit_of_a_parent_that_cannot_be_seen(tmp_path: Path) -> None:
    top = v1_root(tmp_path, "memory", "/docker/abc", mount_root="/docker/abc")
    stat = f"hierarchical_memory_limit {2 * GIB}"
    put(top, memory__limit_in_bytes=V1_NO_LIMIT, memory__usage_in_bytes=GIB, memory__stat=stat)
    assert group_memory(64 * GIB, tmp_path) == GroupMemory(2 * GIB, GIB)


def test_v1_no_limit(tmp_path: Path) -> None:
    top = v1_root(tmp_path, "memory", "/")
    put(top, memory__limit_in_bytes=V1_NO_LIMIT, memory__usage_in_bytes=GIB)
    assert group_memory(64 * GIB, tmp_path) is None


def test_nothing_to_read(tmp_path: Path) -> None:
    assert group_memory(64 * GIB, tmp_path) is None
    assert cpu_quota(tmp_path) is None


def test_nonsense_is_no_limit(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/app")
    put(top / "app", memory__max="lots", memory__current="", memory__stat="active_file many\nx")
    mounts = tmp_path / "proc/self/mountinfo"
    mounts.write_text("not a mount\n1 2 3 - cgroup2\n" + mounts.read_text())
    assert group_memory(64 * GIB, tmp_path) is None


def test_more_used_than_the_limit_leaves_no_room() -> None:
    assert GroupMemory(GIB, 2 * GIB).room == 0


def test_v2_cpu_quota_is_the_smallest_on_the_way_up(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/a/b")
    put(top / "a/b", cpu__max="max 100000")
    put(top / "a", cpu__max="150000 100000")
    assert cpu_quota(tmp_path) == 1.5


@pytest.mark.parametrize(("quota", "expected"), [(-1, None), (400000, 4.0)])
def test_v1_cpu_quota(tmp_path: Path, quota: int, expected: float | None) -> None:
    top = v1_root(tmp_path, "cpu,cpuacct", "/job")
    put(top / "job", cpu__cfs_quota_us=quota, cpu__cfs_period_us=100000)
    assert cpu_quota(tmp_path) == expected


def test_available_memory_is_capped_by_the_group() -> None:
    group = GroupMemory(8 * GIB, 6 * GIB, GIB)
    assert capped(20 * GIB, group) == 3 * GIB
    assert capped(2 * GIB, group) == 2 * GIB
    assert capped(2 * GIB, None) == 2 * GIB
    assert capped(None, group) == 3 * GIB


def test_ram_of_this_machine_under_a_group(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/app")
    put(top / "app", memory__max=64 << 20, memory__current=60 << 20)
    ram = read_ram(tmp_path)
    assert ram.available == 4 << 20
    assert ram.total is not None
    assert ram.total > 64 << 20
    assert ram.problems == ()
