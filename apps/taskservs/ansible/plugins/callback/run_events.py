"""Ansible callback plugin: one JSON line on standard output for each thing that happens. Runs in `ansible-playbook`.

Of a task under `no_log`, and of what such a task's loop did, only the state is printed, never its arguments or output.
"""

from __future__ import annotations

import difflib
import gc
import json
import math
import os
import time
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: run_events
type: stdout
short_description: one JSON line for each event
description: Prints plays, results of tasks, retries and the summary as JSON lines.
"""
LONGEST_TEXT, LONGEST_DIFF = 4000, 8000
OUTPUT_KEYS = ("msg", "reason", "stderr", "stdout", "module_stderr", "module_stdout", "exception", "url", "response")
SERVICE_MODULES = ("systemd_service", "systemd", "service")
STARTING = ("started", "restarted", "reloaded")


class CallbackModule(CallbackBase):
    """Prints events as JSON lines."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "run_events"

    def __init__(self) -> None:
        super().__init__()
        self.play = ""
        self.hosts: set[str] = set()
        self.began: dict[tuple[str, str], float] = {}
        self.started: dict[str, tuple[str, float]] = {}  # by server: the service that runs since, as far as is known
        if modules := os.environ.get("PROVISIONING_MODULES"):  # 0.1 to 0.3 s of a processor each, once a node
            Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(modules)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Tell how many tasks each play has, as far as this is known before it runs."""
        plays = [[play.get_name(), count_tasks(play)] for play in playbook.get_plays()]
        gc.freeze()  # the process of each task is forked from this one: what it need not look at, it need not copy
        emit(event="playbook", plays=plays)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Tell of the next play, or of the next servers of the same play."""
        self.end_play()
        self.play, self.hosts = play.get_name(), set()
        emit(event="play", play=self.play)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Tell each server's summary."""
        self.end_play()
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        emit(event="stats", hosts=hosts)

    def end_play(self) -> None:
        """Report the servers that took part in the play that has ended; failures were reported before."""
        if self.hosts:
            emit(event="play_end", play=self.play, hosts=sorted(self.hosts))

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Note when a task begins on a server."""
        self.began[host.get_name(), task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Tell that a task has done its work."""
        if service := service_of(result.task, result.result):
            self.note_service(service, result)
        self.emit_result(result, "changed" if result.result.get("changed") else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tell that a task has failed, and which service it was to start, or was started before it.

        `seconds` is how long ago that began, rounded up.
        """
        if ignore_errors:
            self.emit_result(result, "ignored")
            return
        service, began = service_of(result.task, failed_in(result.result)), self.began_at(result)
        is_own = bool(service)
        if not service:
            service, began = self.started.get(result.host.get_name(), ("", began))
        seconds = math.ceil(time.monotonic() - began) + 1
        self.emit_result(result, "failed", service=service, seconds=seconds, service_failed=is_own)

    def note_service(self, service: str, result: Any) -> None:
        """Remember the service that a task has started on a server; forget one that it has stopped."""
        host = result.host.get_name()
        if module_arguments(result.result).get("state") in STARTING:
            self.started[host] = service, self.began_at(result)
        elif self.started.get(host, ("", 0))[0] == service:
            del self.started[host]

    def began_at(self, result: Any) -> float:
        """Return when a task began on a server, by the monotonic clock."""
        return self.began.get((result.host.get_name(), result.task._uuid), 0.0)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Tell that a task was skipped."""
        self.emit_result(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Tell that a server does not answer."""
        self.emit_result(result, "unreachable")

    def v2_runner_retry(self, result: Any) -> None:
        """Tell that a task with `until` is tried again."""
        facts = result.result
        self.emit_result(result, "retry", tries=facts.get("attempts"), most=facts.get("retries"))

    def emit_result(self, result: Any, state: str, **more: Any) -> None:
        """Print one result."""
        host, task, facts = result.host.get_name(), result.task, result.result
        self.hosts.add(host)
        hidden = is_hidden(task, facts)
        emit(
            event="task",
            host=host,
            play=self.play,
            task=task.get_name().rpartition(" : ")[2],
            action=task.action,
            state=state,
            is_counted=type(task).__name__ != "Handler" and task.all_parents_static(),  # as count_tasks does
            hidden=hidden,
            output={} if hidden or state in ("ok", "changed", "skipped") else output_of(facts),
            diff="" if hidden else diff_of(facts),
            paths=[] if hidden else [path for path in map(path_of, changed_in(facts)) if path],
            said="" if hidden or state != "ok" else said_in(task, facts),
            services=[name for name in (service_of(task, each) for each in changed_in(facts)) if name],
            **more,
        )


def count_tasks(play: Any) -> int:
    """Count a play's tasks without handlers and Ansible's own."""
    return sum(count_in(block) for block in play.compile()) + (1 if play.gather_facts is not False else 0)


def count_in(block: Any) -> int:
    """Count the tasks of a block and the blocks in it; what a rescue would do is not counted."""
    count = 0
    for each in [*block.block, *block.always]:
        if hasattr(each, "block"):
            count += count_in(each)
        elif not each.implicit and each.action not in ("meta", "ansible.builtin.meta"):
            count += 1
    return count


def is_hidden(task: Any, facts: dict[str, Any]) -> bool:
    """Tell whether a result must not be shown: the task's `no_log`, or that of an item of its loop."""
    items = facts.get("results") or ()
    marks = [facts, *(item for item in items if isinstance(item, dict))]
    return bool(task.no_log) or any(mark.get("_ansible_no_log") for mark in marks)


def output_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the output of a failed task, each text cut; of a loop, that of its first failed item."""
    source = failed_in(facts)
    output = {key: tail(str(source[key])) for key in OUTPUT_KEYS if source.get(key)}
    return output | ({"rc": source["rc"]} if "rc" in source else {})


def said_in(task: Any, facts: dict[str, Any]) -> str:
    """Return what people are to know of a task that did not fail: the `success_msg` of an assertion."""
    is_said = task.action.rpartition(".")[2] == "assert" and "success_msg" in task.args
    return str(facts.get("msg") or "") if is_said else ""


def failed_in(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a failed task; of a loop, that of its first failed item."""
    items = [item for item in facts.get("results") or () if isinstance(item, dict) and item.get("failed")]
    return items[0] if items else facts


def service_of(task: Any, facts: dict[str, Any]) -> str:
    """Return the service that a result is about, by a task that starts, stops or enables it; empty for others."""
    if is_hidden(task, facts) or task.action.rpartition(".")[2] not in SERVICE_MODULES:
        return ""
    return str(module_arguments(facts).get("name") or "")


def module_arguments(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what a module was given, by its result."""
    return (facts.get("invocation") or {}).get("module_args") or {}


def tail(text: str) -> str:
    """Return the end of a long text."""
    return text if len(text) <= LONGEST_TEXT else "… " + text[-LONGEST_TEXT:]


def changed_in(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a task has changed: its result, or those of its loop's items."""
    items = [item for item in facts.get("results") or () if isinstance(item, dict)]
    return [each for each in items or [facts] if each.get("changed")]


def path_of(facts: dict[str, Any]) -> str:
    """Return the file or directory of the server that a result is about; empty for none."""
    given = facts.get("invocation") or {}
    given = given.get("module_args") or given
    return str(given.get("dest") or given.get("path") or "")


def diff_of(facts: dict[str, Any]) -> str:
    """Return the changes of files as a unified diff, cut."""
    found: list[str] = []
    for each in changed_in(facts):
        given = each.get("diff")
        found += [one_diff(part, path_of(each)) for part in (given if isinstance(given, list) else [given]) if part]
    text = "\n".join(filter(None, found))
    return text if len(text) <= LONGEST_DIFF else text[:LONGEST_DIFF] + "\n… cut"


def one_diff(given: dict[str, Any], path: str) -> str:
    """Return one file's diff; its head names the file on the server, never the copy that Ansible made of it here."""
    if given.get("prepared"):
        return str(given["prepared"]).strip()
    if "before" not in given and "after" not in given:
        return ""
    before, after = (as_text(given.get(side)) for side in ("before", "after"))
    old, new = path or "before", path or "after"
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="")
    return "\n".join(lines)


def as_text(value: Any) -> str:
    """Return one side of a diff as text."""
    return value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True, default=str)


def emit(**event: Any) -> None:
    """Print a line at once, whole."""
    line = json.dumps(event, default=str, ensure_ascii=True) + "\n"
    data = line.encode()
    while data:
        data = data[os.write(1, data) :]
