"""Run benchmarks, each in a process of its own, on SQLite and, where BENCH_POSTGRES names a database, on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

NAMES = (
    *("api", "boots", "engine", "claims", "front", "followers", "lists", "retention", "scaling"),
    *("idle", "logins", "workflows", "console", "taskservs"),
)


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/bench.sqlite3", os.environ.get("BENCH_POSTGRES")]
        for name in names or NAMES:
            for url in filter(None, urls):
                environment = {**os.environ, "DATABASE_URL": url, "VAR_DIR": folder}
                command = [sys.executable, "-c", f"from bench.{name} import main; main()"]
                subprocess.run(command, env=environment, check=True)


main(sys.argv[1:])
