"""RQ without forking: two SimpleWorkers."""

from __future__ import annotations

from bench.peers.rq import submit

__all__ = ["COMMANDS", "COUNT", "TITLE", "submit"]

TITLE = "RQ, SimpleWorker"
COUNT = 400
COMMANDS = [["python", "-m", "bench.peers.rq", "SimpleWorker"]] * 2
