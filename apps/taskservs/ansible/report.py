"""What a run has come to so far: Ansible's events become log lines, states of hosts, changes and progress."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from apps.operations.models import Event
from apps.system.hidden_values import HiddenValues
from apps.system.redaction import redact_text

LONGEST_SAID, LAST_LINES, MAX_CHANGES, MAX_EVENTS = 300, 3, 500, 5000
COUNTED = ("ok", "changed", "skipped", "failed", "unreachable", "ignored")
QUIET = Event.Level.DEBUG
APT_COMMAND = re.compile(r"^'/usr/bin/apt-get .*' failed: ")  # before what it said

ERROR = re.compile(r"\b(error|fatal): ", re.IGNORECASE)  # psql adds lines that say less


@dataclass(frozen=True)
class Line:
    """A line for the operation's log."""

    level: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)


def fresh_host() -> dict[str, Any]:
    """Return the state of a host on which nothing has happened."""
    return {"state": "pending", "ok": 0, "changed": 0, "skipped": 0, "task": "", "error": "", "plays": []}


class Report:
    """Follows one run. `lines` to be logged are taken by `take_lines`."""

    def __init__(self, hostnames: list[str], hidden: HiddenValues, *, check_mode: bool):
        self.hosts = {name: fresh_host() for name in hostnames}
        self.changes: list[dict[str, Any]] = []
        self.done = self.total = 0
        self.hidden, self.check_mode = hidden, check_mode
        self.failed_in: dict[str, str] = {}
        self.lines: list[Line] = []
        self.logged = 0

    def take_lines(self) -> list[Line]:
        """Return the lines since the last call."""
        lines, self.lines = self.lines, []
        return lines

    def log(self, level: str, message: str, **data: Any) -> None:
        """Add a line, secrets hidden; after very many, only what went wrong."""
        self.logged += 1
        if self.logged <= MAX_EVENTS or level in (Event.Level.WARNING, Event.Level.ERROR):
            self.lines.append(Line(level, self.hidden.hide_text(message), self.hidden.hide(data)))

    def plan(self, plays: list[tuple[int, int]]) -> None:
        """Set how many results are expected: each play's servers times its tasks."""
        self.total = sum(servers * tasks for servers, tasks in plays)

    # ── Ansible's events ──────────────────────────────────────────────────────────────────────────────────────────────
    def receive(self, event: dict[str, Any]) -> None:
        """Take in one event of the callback plugin."""
        match event.get("event"):
            case "task":
                shown = ("task", "output", "diff", "paths", "services", "service", "said")
                texts = {name: self.hidden.hide(event[name]) for name in shown if name in event}
                self.on_task({**event, **texts})
            case "play_end":
                for host in event["hosts"]:
                    self.on_play_end(host, event["play"])
            case "stats":
                for host, counts in event["hosts"].items():
                    self.on_stats(host, counts)

    def on_task(self, event: dict[str, Any]) -> None:
        """Count one result and log it."""
        host, state = self.hosts.get(event["host"]), event["state"]
        if host is None:
            return
        if state in COUNTED and event["is_counted"]:
            self.done = min(self.done + 1, self.total or self.done + 1)
        if state in host and state != "state":
            host[state] += 1
        if state == "changed":
            host["ok"] += 1
            self.note_change(event)
        if state in ("failed", "unreachable"):
            host |= {"task": event["task"], "error": sentence(event)}
            self.failed_in[event["host"]] = event["play"]
        if state == "unreachable":
            host["state"] = "unreachable"
        self.log_task(event)

    def log_task(self, event: dict[str, Any]) -> None:
        """Log one result: a failure as a sentence with the task's output, what an assertion says, the rest briefly."""
        host, task, state = event["host"], event["task"], event["state"]
        data = {"server": host, "taskserv": event["play"], "task": task, "state": state}
        data |= {"tasks_done": self.done, "tasks_total": self.total}
        if state in ("failed", "unreachable"):
            self.log(Event.Level.ERROR, sentence(event), **data, output=event["output"])
        elif state == "ignored":
            self.log(Event.Level.WARNING, f"{sentence(event)} This is ignored.", **data, output=event["output"])
        elif event.get("said"):
            self.log(Event.Level.WARNING, f"{host}: {ended(event['said'])}", **data)
        elif state == "retry":
            tries = f"try {event.get('tries')} of {event.get('most')}"
            self.log(QUIET, f"{host}: {task}: not yet ({tries})", **data)
        else:
            self.log(QUIET if state == "skipped" else Event.Level.INFO, f"{host}: {task}: {state}", **data)

    def note_change(self, event: dict[str, Any]) -> None:
        """Keep what a check would change."""
        if self.check_mode and len(self.changes) < MAX_CHANGES:
            facts = ("host", "play", "task", "action", "paths", "services", "diff")
            self.changes.append({name: event[name] for name in facts} | {"diff": redact_text(event["diff"])})

    def on_play_end(self, name: str, play: str) -> None:
        """Note that a host has completed a play, unless it has failed in it."""
        host = self.hosts.get(name)
        if host is not None and self.failed_in.get(name) != play and play not in host["plays"]:
            host["plays"].append(play)

    def on_stats(self, name: str, counts: dict[str, int]) -> None:
        """Set a host's state by Ansible's own count, which knows what a rescue has made good."""
        if (host := self.hosts.get(name)) is None:
            return
        if counts.get("unreachable"):
            host["state"] = "unreachable"
        elif counts.get("failures"):
            host["state"] = "failed"
        else:
            host |= {"state": "ok", "task": "", "error": ""}
            if (rescued := self.failed_in.pop(name, None)) and rescued not in host["plays"]:
                host["plays"].append(rescued)

    # ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def verdict(self) -> tuple[str, str]:
        """Return code and sentences of what went wrong on servers, empty when nothing did."""
        failed = [host["error"] for host in self.hosts.values() if host["state"] == "failed"]
        lost = [host["error"] for host in self.hosts.values() if host["state"] == "unreachable"]
        code = "TASK_FAILED" if failed else "SERVER_UNREACHABLE" if lost else ""
        return code, " ".join([*failed, *lost])

    def so_far(self) -> Iterator[tuple[str, str]]:
        """Yield each server with a sentence about what has been done there."""
        for name, host in self.hosts.items():
            count = host["ok"] + host["skipped"]
            what = f"{count} tasks were done, {host['changed']} with changes" if count else "nothing was done"
            yield name, f"{name}: {what} before the stop."

    def as_columns(self) -> dict[str, Any]:
        """Return what the run's row holds of it."""
        columns: dict[str, Any] = {"hosts": self.hosts, "changes": self.changes}
        return columns | {"tasks_done": self.done, "tasks_total": self.total}


def sentence(event: dict[str, Any]) -> str:
    """Return a failed task as one sentence: host, task and the main line of its output."""
    verb = "could not be run: the server does not answer" if event["state"] == "unreachable" else "failed"
    said = last_lines(event["output"].get("service_log", ""))
    end = f" The log of {event['service']} ends: {said}" if said else ""
    if event["hidden"]:
        return f'{event["host"]}: "{event["task"]}" {verb}; its output is hidden (no_log).{end}'
    what = summary(event["output"])
    return f'{event["host"]}: "{event["task"]}" {verb}' + (f": {what}" if what else ".") + end


def summary(output: dict[str, Any]) -> str:
    """Return the most useful line of a task's output, cut, ending as a sentence does."""
    if output.get("msg") == "Request failed" and output.get("response"):
        return ended(f"{output.get('url')}: {output['response']}")
    texts = [str(output[key]) for key in ("msg", "reason", "stderr", "module_stderr", "stdout") if output.get(key)]
    if texts and texts[0].startswith(("non-zero return code", "MODULE FAILURE", "The command exited")):
        texts = texts[1:] + texts[:1]
    for text in texts:
        lines = lines_of(text)
        if lines:
            return ended(APT_COMMAND.sub("", lines[0]) if text == output.get("msg") else telling(lines))
    return ""


def telling(lines: list[str]) -> str:
    """Return the last line that says it is an error; the last one where none does."""
    return next((line for line in reversed(lines) if ERROR.search(line)), lines[-1])


def last_lines(text: str) -> str:
    """Return the last lines of a log, few and each one once: where a service says why, the last one alone may not."""
    lines = list(dict.fromkeys(reversed(lines_of(text))))[:LAST_LINES]
    while len(lines) > 1 and sum(map(len, lines)) > LONGEST_SAID:
        lines.pop()
    return ended(" | ".join(reversed(lines))) if lines else ""


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that say something."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def ended(text: str) -> str:
    """Return a text cut, ending as a sentence does."""
    cut = text if len(text) <= LONGEST_SAID else text[:LONGEST_SAID].rstrip() + " …"
    return cut if cut.endswith((".", "!", "?", "…")) else cut + "."
