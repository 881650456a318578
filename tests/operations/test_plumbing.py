"""The parts that stand in for django-q2's queues, events and values, each with real processes."""

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import django_q
import pytest

from apps.operations.worker import django_q_patches
from apps.operations.worker.django_q_patches import FileMessage, PacketQueue, UnknownDjangoQ
from apps.operations.worker.shared_state import PipeEvent, SharedNumber
from tests.operations.fleet import eventually
from tests.operations.processes import stat

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
fork = multiprocessing.get_context("fork")


@pytest.fixture
def start():
    """Start processes by fork; none outlives the test."""
    made = []

    def go(work, *given):
        process = fork.Process(target=work, args=given, daemon=True)
        process.start()
        made.append(process)
        return process

    yield go
    for process in made:
        process.kill()
        process.join()


@pytest.fixture
def packets():
    """Make queues; their sockets are closed in the end."""
    made = []

    def go(count=1):
        made.extend(PacketQueue() for _ in range(count))
        return made[-1] if count == 1 else made[-count:]

    yield go
    for queue in made:
        queue.receiver.close()
        queue.sender.close()


@pytest.fixture
def spills(tmp_path, monkeypatch):
    """Where large items go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def take(queue, results):
    for item in iter(queue.get, "STOP"):
        results.put((os.getpid(), item))


def sleeps(process):
    return stat(process.pid)[0] == "S"


def test_packets_reach_exactly_one_receiver_each(start, packets):
    queue, results = packets(2)
    readers = [start(take, queue, results) for _ in range(4)]
    got = []
    collector = threading.Thread(target=lambda: got.extend(results.get() for _ in range(2000)))
    collector.start()
    for number in range(2000):
        queue.put({"number": number})
    collector.join(60)
    assert sorted(item["number"] for _, item in got) == list(range(2000))
    for _ in readers:
        queue.put("STOP")
    assert [reader.join(10) or reader.exitcode for reader in readers] == [0] * 4


def test_packets_outlive_a_killed_reader(start, packets):
    queue, results = packets(2)
    for number in range(5):
        victim = start(take, queue, results)
        eventually(lambda one=victim: sleeps(one), 10)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join(10)
        queue.put(number)
    start(take, queue, results)
    assert [results.get()[1] for _ in range(5)] == list(range(5))


def test_packets_survive_readers_killed_in_the_middle_of_reading(start, packets):
    """What a killed reader held is lost, and nothing else; no later packet is torn."""
    queue, results = packets(2)
    got = []
    collector = threading.Thread(target=lambda: got.extend(item for _, item in iter(results.get, "STOP")))
    collector.start()
    writer = start(lambda: [queue.put({"number": number, "ballast": "x" * 5000}) for number in range(3000)])
    kills = 0
    while writer.is_alive() or not queue.empty():
        reader = start(take, queue, results)
        time.sleep(0.05)
        reader.kill()
        reader.join(10)
        kills += 1
    results.put("STOP")
    collector.join(10)
    numbers = [item["number"] for item in got]
    assert len(numbers) == len(set(numbers))
    assert all(len(item["ballast"]) == 5000 for item in got)
    assert 3000 - len(numbers) <= kills


@pytest.mark.parametrize("size", [10, django_q_patches.MAX_BYTES - 100, django_q_patches.MAX_BYTES + 100, 5_000_000])
def test_packets_carry_items_of_any_size(size, start, spills, packets):
    queue, results = packets(2)
    start(take, queue, results)
    queue.put(b"x" * size)
    assert results.get()[1] == b"x" * size
    assert not list(spills.iterdir()), "the reader removes the file"


def test_packets_tell_whether_they_are_empty(packets):
    queue = packets()
    assert (queue.empty(), queue.qsize()) == (True, 0)
    queue.put(1)
    assert (queue.empty(), queue.qsize()) == (False, 1)
    queue.get()
    assert queue.empty()


def test_packets_can_be_taken_back(packets, spills):
    queue = packets()
    assert queue.get_all() == []
    queue.put(1)
    queue.put("x" * 100_000)
    assert queue.get_all() == [1, "x" * 100_000]
    assert queue.empty()


class Backlog:
    """A broker that always has a batch of ten, and tells of each that it gives."""

    def __init__(self, told):
        self.told, self.given = told, 0

    def take(self, *, until, max_count):
        self.told.put(f"batch {self.given}")
        self.given += 10
        return list(range(self.given - 10, self.given))

    def release_unstarted(self, tasks):
        return tasks


def test_workers_have_work_while_a_batch_is_claimed_and_get_all_of_it(start, packets):
    tasks, told = packets(2)
    stop = PipeEvent()
    pusher = start(django_q_patches.pusher, tasks, stop, Backlog(told))
    taken = [tasks.get() for _ in range(8)]
    assert told.get() == "batch 0"
    eventually(lambda: not told.empty(), 10, "a claim of the next batch")
    taken += [tasks.get() for _ in range(2)]  # put before the next batch was asked for
    stop.set()
    pusher.join(10)
    assert taken + tasks.get_all() == list(range(20))


def test_packets_make_a_writer_wait_for_room(start, packets):
    queue = packets()
    writer = start(lambda: [queue.put("x" * 50_000) for _ in range(50)])
    eventually(lambda: sleeps(writer), 10)
    assert [len(queue.get()) for _ in range(50)] == [50_000] * 50
    writer.join(10)
    assert writer.exitcode == 0


def test_a_spilled_item_is_read_once(spills):
    spilled = FileMessage.to_file(b"\x80\x04K\x07.")
    assert spilled.read() == 7
    assert not Path(spilled.path).exists()


def test_a_flag_is_seen_by_all_and_outlives_its_setter(start, packets):
    flag, results = PipeEvent(), packets()
    waiting = [start(lambda: results.put(flag.wait(30))) for _ in range(3)]
    assert not flag.is_set()
    assert flag.wait(0.01) is False
    setter = start(lambda: (flag.set(), os.kill(os.getpid(), signal.SIGKILL)))
    assert [results.get() for _ in waiting] == [True] * 3
    setter.join(10)
    assert flag.is_set()
    assert flag.wait(None) is True


def test_a_number_is_shared_and_has_no_lock_to_lose(start):
    number = SharedNumber("f", -1)

    def hold():
        with number.get_lock():
            number.value = 8
            os.kill(os.getpid(), signal.SIGKILL)

    start(hold).join(10)
    with number.get_lock():
        number.value -= 0.5
    assert number.value == 7.5


def test_it_refuses_a_django_q2_that_it_does_not_know(monkeypatch):
    monkeypatch.setattr(django_q, "VERSION", (1, 99, 0))
    with pytest.raises(UnknownDjangoQ, match="1.99.0"):
        django_q_patches.install()
