"""One run from its claim to its end, in a thread of the runner."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from apps.operations.hidden_input import hidden_in
from apps.operations.models import Event
from apps.system.encryption import unseal
from apps.system.errors import DomainError
from apps.system.hidden_values import NOTHING
from apps.taskservs.ansible import playbook
from apps.taskservs.ansible.host_control import HostKeyChanged, Unreachable
from apps.taskservs.ansible.process import Playbook, kill_marked
from apps.taskservs.ansible.queue import RunLease
from apps.taskservs.ansible.report import Report
from apps.taskservs.ansible.requests import RunRequest, from_json
from apps.taskservs.ansible.role_copies import copy_roles
from apps.taskservs.ansible.servers import Faults, RunServers, targets_of
from apps.taskservs.ansible.service_log import own_lines
from apps.taskservs.ansible.writer import LeaseLost, Writer
from apps.taskservs.catalog_loader import ROOT
from apps.taskservs.catalog_yaml import BadEntry
from apps.taskservs.models import AnsibleRun

logger = logging.getLogger(__name__)
State = AnsibleRun.State
READ_SECONDS = 0.2
TASKS_FAILED, SERVERS_UNREACHABLE = 2, 4  # exit codes of ansible-playbook, besides 0
DEAD_FORK = "A worker was found in a dead state"  # what it says when one of its own processes was killed


class Stopped(Exception):  # noqa: N818 - named for the fact
    """The run is to stop, its reason is that of `Execution.stop`; or its processes were `killed`."""


class Failed(Exception):  # noqa: N818 - named for the fact
    """The run cannot go on; `code` and `text` say why."""

    def __init__(self, code: str, text: str):
        super().__init__(text)
        self.code, self.text = code, text


class Execution:
    """Does one claimed run. When `thread` has ended, nothing of it is left on this machine."""

    def __init__(self, lease: RunLease, base: Path):
        self.lease, self.mark = lease, lease.run_id.hex
        self.folder = base / self.mark[:8]
        self.reason, self.pid, self.has_touched = "", 0, False
        self.thread = threading.Thread(target=self.main, name=f"run {lease.run_id}", daemon=True)

    def stop(self, reason: str) -> None:
        """Tell it to stop: `asked`, `shutdown` of this node, or `lost` when the lease has gone to somebody else."""
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raise Stopped when it is to stop."""
        if self.reason:
            raise Stopped(self.reason)

    def main(self) -> None:
        """Do the run; whatever happens, nothing of it is left on this machine."""
        try:
            self.folder.mkdir(mode=0o700)
            self.perform(AnsibleRun.objects.get(pk=self.lease.run_id))
        except LeaseLost:
            logger.warning("the lease of Ansible run %s was lost", self.lease.run_id)
        except Exception:
            logger.exception("Ansible run %s was given up; it is taken up when its lease runs out", self.lease.run_id)
        finally:
            self.clean_up()
            connections.close_all()

    def clean_up(self) -> None:
        """Leave no process and no file of the run on this machine."""
        kill_marked(self.mark)
        shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self, state: str, **result: Any) -> None:
        """Record the end, when nothing is left of the run on this machine. Raises LeaseLost."""
        self.clean_up()
        self.writer.finish(state, **result)

    def perform(self, run: AnsibleRun) -> None:
        """Do the run and record what it came to. Raises LeaseLost."""
        try:
            request = from_json(unseal(run.sealed_request, what=run))
        except DomainError as refusal:
            report = Report(list(run.hosts), NOTHING, check_mode=run.check_mode)
            self.writer = Writer(self.lease, run.operation_id, report)
            self.finish(State.ENDED, error_code=refusal.code, error=refusal.text)
            return
        hidden = hidden_in(run.operation).and_also(play.secret_variables for play in request.plays)
        self.report = Report(list(run.hosts), hidden, check_mode=run.check_mode)
        self.writer = Writer(self.lease, run.operation_id, self.report)
        self.servers = RunServers(self.folder, targets_of(run.server_ids), lambda: not self.reason)
        if run.stop_requested_at:
            self.stop("asked")
        self.has_touched = follows_lost_run(run)
        try:
            code = self.prepare_and_play(run, request)
        except Stopped:
            self.end_on_servers(repair=not run.check_mode)
        except Failed as failed:
            text = self.report.hidden.hide_text(failed.text)
            self.report.log(Event.Level.ERROR, text)
            self.finish(State.ENDED, error_code=failed.code, error=text)
        else:
            error_code, error = self.report.verdict()
            self.finish(State.ENDED, exit_code=code, error_code=error_code, error=error)

    def prepare_and_play(self, run: AnsibleRun, request: RunRequest) -> int:
        """Prepare the servers and run the playbook; returns its exit code. Raises Stopped, Failed and LeaseLost."""
        self.check()
        if len(self.servers.targets) < len(run.server_ids):
            raise Failed("SERVER_GONE", "A server was deleted, or has lost its address, before the run began.")
        try:
            request = copy_roles(self.folder, request)
        except BadEntry as error:
            raise Failed("BAD_ROLE", " ".join(error.faults)[:1000]) from error
        faults = self.servers.meet()
        self.check()
        self.refuse(faults)
        if not run.check_mode:
            self.refuse(self.servers.replace_ordered_keys())
            self.check()
        self.has_touched = True
        faults, ended = self.servers.take(run=self.mark, repair=not run.check_mode)
        for hostname, what in ended.items():
            text = f"{hostname}: what an earlier run had left there is over ({what})."
            self.report.log(Event.Level.WARNING, text, server=hostname)
        self.check()
        self.refuse(faults)
        playbook.write(self.folder, request, self.servers.targets)
        return self.play(request)

    def refuse(self, faults: Faults) -> None:
        """Set the states of servers that cannot be used: nothing is begun then. Raises Failed when there are any."""
        for hostname, fault in faults.items():
            state = "unreachable" if isinstance(fault, Unreachable) else "failed"
            self.report.hosts[hostname] |= {"state": state, "error": str(fault)}
        if faults:
            has_changed = any(isinstance(fault, HostKeyChanged) for fault in faults.values())
            code = "HOST_KEY_CHANGED" if has_changed else "SERVER_UNREACHABLE"
            raise Failed(code, " ".join(map(str, faults.values())))

    def play(self, request: RunRequest) -> int:
        """Run the playbook to its end. Raises Stopped, LeaseLost, and Failed when it could not begin."""
        hosts, modules = len(self.servers.targets), self.kept_modules(request)
        process = Playbook(self.folder, self.mark, hosts=hosts, check_mode=request.check_mode, modules=modules)
        self.pid = process.process.pid
        try:
            while not process.has_ended():
                for event in process.events(READ_SECONDS):
                    self.receive(event, request)
                self.writer.flush_if_due()
                self.check()
            for event in process.remaining_events():
                self.receive(event, request)
            code, complaint = process.process.returncode, process.complaint()
        finally:
            process.end()
        if (code < 0 or DEAD_FORK in complaint) and self.may_be_repeated():
            raise Stopped("killed")
        if code and (code not in (TASKS_FAILED, SERVERS_UNREACHABLE) or not self.report.verdict()[0]):
            text = complaint or f"ansible-playbook ended with exit code {code}."
            raise Failed("ANSIBLE_FAILED", f"Ansible could not run the roles: {text}")
        return code

    def may_be_repeated(self) -> bool:
        """Tell whether a run whose processes were killed is begun anew: not when each one is, as for its memory."""
        lost = AnsibleRun.objects.filter(operation=self.writer.operation_id, state=State.LOST).count()
        return lost + 1 < settings.OPERATIONS["max_crashes"]

    def kept_modules(self, request: RunRequest) -> Path | None:
        """Return the directory where this node's runs keep the modules that Ansible has put together.

        None for a role of an operator: it may bring modules of its own, under the names of others and changed at will.
        """
        if not all(Path(play.role_path).is_relative_to(ROOT) for play in request.plays):
            return None
        path = self.folder.parent / "modules"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def receive(self, event: dict[str, Any], request: RunRequest) -> None:
        """Take in an event of the callback plugin."""
        if event["event"] == "playbook":
            sizes = [len(play.server_ids) for play in request.plays]
            self.report.plan([(size, count) for size, (_, count) in zip(sizes, event["plays"], strict=False)])
        if event.get("service"):
            event["output"]["service_log"] = self.service_log(event)
        self.report.receive(event)

    def service_log(self, event: dict[str, Any]) -> str:
        """Return what the service behind a failed task has said on its server; empty when that is not to be had."""
        found = [target for target in self.servers.targets if target.hostname == event["host"]]
        if self.reason or not found:
            return ""
        seconds, only_ended = event["seconds"], not event["service_failed"]
        return own_lines(self.folder, found[0], event["service"], since_seconds=seconds, only_ended=only_ended)

    def end_on_servers(self, *, repair: bool) -> None:
        """End what runs on the servers, and record that the run was stopped; else it is lost, to be begun anew."""
        kill_marked(self.mark)
        if self.reason == "lost":
            raise LeaseLost
        done, unknown = self.servers.clear(repair=repair) if self.has_touched else ({}, {})
        for hostname, text in self.report.so_far():
            if hostname in unknown:
                text += f" Whether something still runs there is not known: {unknown[hostname]}."
            else:
                text += f" Nothing runs there any more ({done.get(hostname) or 'nothing was left'})."
            self.report.log(Event.Level.WARNING, text, server=hostname, state="stopped")
        error = f"It is not known whether everything has ended on {', '.join(sorted(unknown))}." if unknown else ""
        state = State.STOPPED if self.reason == "asked" else State.LOST
        self.finish(state, error_code="NOT_CLEARED" if unknown else "", error=error)


def follows_lost_run(run: AnsibleRun) -> bool:
    """Tell whether an earlier run of the operation was lost, so that something of it may be left on the servers."""
    return AnsibleRun.objects.filter(operation=run.operation_id, state=State.LOST).exists()
