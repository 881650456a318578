"""The graph of `bench.workflows` as a Prefect flow of one task a step, run by the server that PREFECT_API_URL names.

Run by the interpreter of Prefect's own environment: `python prefect_flow.py STEPS LAYERS`; prints the seconds from the
call of the flow until the server shows this flow's run and the runs of all its tasks as completed. That is what ours
are measured by. Nothing is cached: each task has a run of its own, whose states the server stores.
"""

import sys
import time

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, TaskRunFilter
from prefect.runtime import flow_run

PAGE = 200


@task(cache_policy=NO_CACHE)
def instant(number):
    """Do nothing."""
    return number


@flow
def layered(size, layers):
    """Submit a task a step, each of which needs three of the layer before; returns the id of the flow's run."""
    width, futures = max(size // layers, 1), []
    for number in range(size):
        above = (number // width - 1) * width
        needs = sorted({above + (number + shift) % width for shift in range(3)}) if above >= 0 else []
        futures.append(instant.submit(number, wait_for=[futures[need] for need in needs]))
    for future in futures:
        future.wait()
    return flow_run.id


def completed(client, run):
    """Count the task runs of a flow's run that the server shows as completed; none before the run itself is."""
    if client.read_flow_run(run).state_type != "COMPLETED":
        return 0
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    is_completed = TaskRunFilter(state={"type": {"any_": ["COMPLETED"]}})
    return len(client.read_task_runs(flow_run_filter=of_run, task_run_filter=is_completed, limit=PAGE))


if __name__ == "__main__":
    size, layers = int(sys.argv[1]), int(sys.argv[2])
    assert size <= PAGE, "one page of the server's answer shows 200"
    with get_client(sync_client=True) as client:
        layered(2, 1)  # warm up
        begin = time.perf_counter()
        run = layered(size, layers)
        returned = time.perf_counter() - begin
        while completed(client, run) < size:
            time.sleep(0.05)
        print(returned, time.perf_counter() - begin)
