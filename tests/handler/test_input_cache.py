import hashlib
import os
import threading
from pathlib import Path

import pytest

from contract.job import ObjectRef
from handler.input_cache import InputCache

ROOMY = 1_000_000
ENTRY_BYTES = 100 + 32  # the data below and its hash


def ref(number: int, key: str = "templates/b/page_01/background.png") -> ObjectRef:
    return ObjectRef(key=key, sha256=hashlib.sha256(bytes([number])).hexdigest())


def data(number: int) -> bytes:
    return bytes([number]) * 100


def test_what_was_put_is_got_by_any_worker_that_shares_the_folder(tmp_path: Path) -> None:
    InputCache(tmp_path / "cache", ROOMY).put(ref(1), data(1))
    other = InputCache(tmp_path / "cache", ROOMY)
    assert other.get(ref(1)) == data(1)
    assert other.get(ref(2)) is None


def test_an_entry_is_found_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    cache = InputCache(tmp_path, ROOMY)
    cache.put(ref(1, "templates/lion/page_01/background.png"), data(1))
    assert cache.get(ref(2, "templates/bear/page_01/background.png")) is None
    assert cache.get(ref(1, "templates/bear/page_09/background.png")) == data(1)


@pytest.mark.parametrize(
    "private",
    [
        ref(1, "photos/p/original.jpg"),
        ref(1, "pulid_emb/p.safetensors"),
        ref(1, "pages/o/templates/page_01.png"),
        ObjectRef(key="templates/b/page_01/background.png"),
    ],
    ids=["photo", "embedding", "page", "unknown content"],
)
def test_what_is_of_a_child_or_may_change_is_never_kept(tmp_path: Path, private: ObjectRef) -> None:
    cache = InputCache(tmp_path / "cache", ROOMY)
    cache.put(private, data(1))
    assert cache.get(private) is None
    assert not (tmp_path / "cache").exists()


def test_what_was_not_used_for_the_longest_time_goes_first(tmp_path: Path) -> None:
    cache = InputCache(tmp_path, 3 * ENTRY_BYTES)
    for number in (1, 2, 3):
        cache.put(ref(number), data(number))
    for age, path in enumerate(entry(tmp_path, number) for number in (3, 2, 1)):
        os.utime(path, (1000.0 + age, 1000.0 + age))
    cache.get(ref(3))
    cache.put(ref(4), data(4))
    assert [cache.get(ref(n)) is not None for n in (1, 2, 3, 4)] == [True, False, True, True]


def entry(folder: Path, number: int) -> Path:
    """The file of an entry."""
    [path] = folder.glob(f"{ref(number).sha256}*")
    return path


def test_what_is_larger_than_the_cache_is_not_kept(tmp_path: Path) -> None:
    for limit in (0, ENTRY_BYTES - 1):
        cache = InputCache(tmp_path, limit)
        cache.put(ref(1), data(1))
        assert cache.get(ref(1)) is None


@pytest.mark.parametrize("damage", [b"", b"\0" * ENTRY_BYTES, b"\0" * 40])
def test_a_corrupt_entry_is_dropped(tmp_path: Path, damage: bytes) -> None:
    cache = InputCache(tmp_path, ROOMY)
    cache.put(ref(1), data(1))
    entry(tmp_path, 1).write_bytes(damage)
    assert cache.get(ref(1)) is None
    assert list(tmp_path.iterdir()) == []
    cache.put(ref(1), data(1))
    assert cache.get(ref(1)) == data(1)


def test_what_a_dead_worker_left_half_written_goes_like_any_other_file(tmp_path: Path) -> None:
    (tmp_path / "tmpleft").write_bytes(b"x" * 10 * ENTRY_BYTES)
    os.utime(tmp_path / "tmpleft", (1000.0, 1000.0))
    cache = InputCache(tmp_path, 2 * ENTRY_BYTES)
    cache.put(ref(1), data(1))
    assert cache.get(ref(1)) == data(1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_fails_costs_no_job(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = InputCache(tmp_path / "file", ROOMY)
    cache.put(ref(1), data(1))
    assert cache.get(ref(1)) is None


def test_workers_that_share_a_folder_never_see_half_an_entry(tmp_path: Path) -> None:
    caches = [InputCache(tmp_path, 2 * ENTRY_BYTES) for _ in range(3)]
    wrong: list[bytes] = []

    def use(cache: InputCache) -> None:
        for turn in range(30):
            number = turn % 4
            cache.put(ref(number), data(number))
            found = cache.get(ref(number))
            if found not in (None, data(number)):
                wrong.append(found or b"")

    threads = [threading.Thread(target=use, args=(cache,)) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * ENTRY_BYTES


def test_only_the_owner_can_read_the_folder(tmp_path: Path) -> None:
    InputCache(tmp_path / "cache", ROOMY).put(ref(1), data(1))
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
