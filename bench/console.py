"""Pages of the console with 100,000 operations against the same pages with a few: `python -m bench console`.

An operation with a log of 20,000 lines may take 150 ms, and no page more than 1.2 times what it takes with few rows,
where that is above 50 ms. The lists with their filters are the benchmark `lists`'. `LISTS_KEEP`
and `LISTS_OPERATIONS` are as there.
"""

from __future__ import annotations

from bench import lists

MAX_RATIO, MAX_SECONDS, MAX_LOG_SECONDS = 1.2, 0.050, 0.150
PATHS = (
    "/admin/",
    "/admin/dashboard/",
    "/admin/servers/server/add/",
    "/admin/taskservs/taskserv/add/",
    "/admin/workflows/workflow/add/",
    "/admin/operations/operation/",
    "/admin/servers/server/",
    "/admin/taskservs/taskserv/",
    "/admin/workflows/workflow/",
)


def main() -> None:
    """Run on the configured database. Raises SystemExit when a page takes too long."""
    import django

    django.setup()
    slow = []
    with lists.databases() as (vendor, few, full):
        with lists.connected(few):
            few_base = lists.Base(few, *lists.fill(vendor, lists.FEW, servers=lists.FEW))
        with lists.connected(full):
            full_base = lists.Base(full, *lists.fill(vendor, lists.OPERATIONS, servers=lists.SERVERS))
        pages = {path: (path, path, MAX_SECONDS) for path in PATHS}
        pages["an operation with a long log"] = (few_base.logs[0], full_base.logs[0], MAX_LOG_SECONDS)
        for name, (short, long, limit) in pages.items():
            forget()
            with lists.connected(few):
                base = lists.seconds(few_base.get, short)
            most = max(limit, MAX_RATIO * base)
            forget()
            with lists.connected(full):
                took = lists.seconds(full_base.get, long, good=most)
            slow += [name] if took > most else []
            late = "TOO LONG" if took > most else ""
            print(f"  {name:<40} {base * 1000:>7.1f} ms {took * 1000:>7.1f} ms {late}", flush=True)
        print(f"{len(slow)} of {len(pages)} pages take too long: {lists.OPERATIONS:,} operations, {vendor}")
    if slow:
        raise SystemExit(1)


def forget() -> None:
    """Let no page show what was counted in the other database."""
    from provisioning.dashboard import fleet
    from provisioning.dashboard.outcomes import hourly

    fleet.group_counts.forget()
    hourly.forget()
