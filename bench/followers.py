"""A thousand event streams on one node: how late each line comes, what reads cost meanwhile, and memory."""

from __future__ import annotations

import asyncio
import resource
import statistics
import threading
import time

from bench.api import prepare
from bench.front import load
from bench.nodes import memory_of, processor_seconds_of, web_node
from bench.stage import database

FOLLOWERS, LINES = 1000, 15


def main() -> None:
    """Run on the configured database."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with database() as vendor:
        headers, some_id = prepare()
        operation = submit()
        with web_node("ASGI front", STREAMS_PER_USER=str(FOLLOWERS)) as (port, pid):
            url = f"http://127.0.0.1:{port}/v1/servers/{some_id}/status"
            load(url, headers)
            alone, memory = cost_of_a_read(url, headers, pid), memory_of(pid)
            late, meanwhile, growth = asyncio.run(follow(port, pid, url, headers, operation, memory))
    half = statistics.quantiles(late, n=100)
    print(f"\n{FOLLOWERS:,} followers, two web processes, {LINES} lines a second apart, {vendor}")
    print(
        f"  received {len(late):,} of {FOLLOWERS * LINES:,}: median {half[49]:.2f} s, 99th percentile {half[98]:.2f} s"
    )
    print(f"  processor time of a read: {alone:.2f} ms alone, {meanwhile:.2f} ms beside them")
    print(f"  memory: {memory / 2**20:.0f} MiB before, {growth / 2**20:+.0f} MiB with them")


def submit() -> str:
    """Store the operation that is followed."""
    from apps.operations.models import Operation

    return str(Operation.objects.create(kind="bench").pk)


def cost_of_a_read(url: str, headers: dict[str, str], pid: int) -> float:
    """Return the processor time of one read in milliseconds."""
    before = processor_seconds_of(pid)
    count, _ = load(url, headers)
    return (processor_seconds_of(pid) - before) / count * 1000


async def follow(
    port: int, pid: int, url: str, headers: dict[str, str], operation: str, memory: int
) -> tuple[list[float], float, int]:
    """Open the streams, write lines and time them; returns seconds a line, the cost of a read, bytes of memory more."""
    late: list[float] = []
    paths = [f"/v1/operations/{operation}/events", f"/v1/events?operation={operation}"]
    streams = []
    for number in range(FOLLOWERS):
        streams.append(asyncio.create_task(read(port, paths[number % 2], headers, late)))
        await asyncio.sleep(0.01)
    await asyncio.sleep(5)
    writer = threading.Thread(target=write, args=(operation,))
    writer.start()
    await asyncio.to_thread(writer.join)
    await asyncio.sleep(3)
    growth = memory_of(pid) - memory
    cost = await asyncio.to_thread(cost_of_a_read, url, headers, pid)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return late, cost, growth


async def read(port: int, path: str, headers: dict[str, str], late: list[float]) -> None:
    """Follow, and note how late each line is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        while line := await reader.readline():
            _, found, rest = line.partition(b'"message":"written at ')
            if found:
                late.append(time.time() - float(rest.split(b'"')[0]))
    finally:
        writer.close()


def write(operation: str) -> None:
    """Write a line each second."""
    from django.db import connection, transaction

    from apps.operations import events
    from apps.operations.models import Operation

    row = Operation.objects.get(pk=operation)
    for _ in range(LINES):
        with transaction.atomic():
            Operation.objects.filter(pk=operation).update(status_message="")
            events.append(row, "info", f"written at {time.time()}")
        time.sleep(1)
    connection.close()
