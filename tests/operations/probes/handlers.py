"""Steps that work, and steps that do what no step should."""

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from django.db import connection, transaction

from apps.operations.errors import Refused, Retry
from apps.operations.handler_api import Done, Wait
from apps.taskservs.ansible import requests, runs
from tests.operations.probes import ledger


def instant(context):
    return Done(context.params)


def sleep(context):
    began(context)
    time.sleep(context.params["seconds"])
    return Done()


def wait(context):
    left = context.state.get("left", context.params["times"])
    return Wait(context.params["seconds"], {"left": left - 1}, f"{left} to go") if left else Done()


def fail_transiently(context):
    """Fail for a while."""
    failed = context.state.get("failed", 0)
    if failed == context.params["times"]:
        return Done()
    context.save(failed=failed + 1)
    raise Retry("FAILED", "It failed.", after=0.05)


def refuse(context):
    raise Refused("NO", "Never.")


def raise_bug(context):
    raise ZeroDivisionError("a bug")


def return_unserializable(context):
    return Done({"it": object()})


def die(context):
    began(context)
    os._exit(3)


def busy_loop(context):
    began(context)
    while True:
        pass


def ignore_interrupts(context):
    """Swallow every interrupt."""
    began(context)
    while True:
        with suppress(BaseException):
            time.sleep(60)


def compute(context):
    """Stay in C code that no signal interrupts, though other threads run."""
    began(context)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


def hold_gil(context):
    """Stay in C code that lets no thread run."""
    began(context)
    ctypes.PyDLL(None).sleep(600)


def query(context):
    """Stay in the database, inside a transaction."""
    began(context)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(600)")


def start_programs(context):
    """Start programs, one of them in a session of its own as terminals' are, and wait for them."""
    began(context)
    programs = [subprocess.Popen(["sleep", "600"], start_new_session=alone) for alone in (False, True)]
    for program in programs:
        ledger.write(context.operation.id, "child", program.pid)
    while "for ever":
        time.sleep(0.1)


DAEMONS = """
import os, sys, time
def record(how):
    with open(os.environ["LEDGER"], "a") as ledger:
        ledger.write(f"{sys.argv[1]} child {how} {os.getpid()}\\n")
def forked_twice(how):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            record(how)
            time.sleep(600)
        os._exit(0)
record("program")
forked_twice("daemon")
if os.fork() == 0:
    os.setsid()
    record("session")
    time.sleep(600)
time.sleep(600)
"""


def start_daemons(context):
    """Start a program that forks as daemons and Ansible's workers do, one with no environment, and a bare fork."""
    began(context)
    id = str(context.operation.id)
    subprocess.Popen([sys.executable, "-c", DAEMONS, id], start_new_session=True)
    hidden = subprocess.Popen(["sleep", "600"], env={}, start_new_session=True)
    ledger.write(id, "child", "hidden", hidden.pid)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            ledger.write(id, "child", "fork", os.getpid())
            time.sleep(600)
        os._exit(0)
    while "for ever":
        time.sleep(0.1)


def terminate(context):
    """Start a program and end it politely."""
    program = subprocess.Popen(["sleep", "600"])
    program.terminate()
    return Done({"code": program.wait(5), "expected": -signal.SIGTERM})


def act(context):
    """Look before acting, as every step towards a cloud does; the effect lasts, whatever becomes of the process."""
    began(context)
    id = context.operation.id
    time.sleep(context.params.get("seconds", 0))
    if not ledger.lines(id, "effect"):
        ledger.write(id, "effect")
    time.sleep(context.params.get("seconds", 0))
    return Done({"effects": len(ledger.lines(id, "effect"))})


def provision(context):
    """Order, wait until it is there, finish."""
    if "ordered" not in context.state:
        act(context)
        return Wait(0.2, {"ordered": True}, "ordered")
    return Done()


def undo(context):
    ledger.write(context.operation.id, "undone")
    return Done()


def undo_and_die(context):
    began(context)
    os._exit(3)


def began(context):
    ledger.write(context.operation.id, "began", os.getpid(), time.time())


# ── django-q2's own tasks ─────────────────────────────────────────────────────────────────────────────────────────────
def note(word):
    ledger.write("task", word)


def return_lambda():
    ledger.write("task", "lambda")
    return lambda: None


async def coroutine():
    ledger.write("task", "coroutine")


def raise_error():
    raise ValueError("the task's own fault")


def return_much(size):
    ledger.write("task", "return_much")
    return "x" * size


def run_ansible(context):
    """Request a run of Ansible with the parameters, again when the run was lost."""
    run = runs.latest_run(context.operation)
    if run is None or run.state == "lost":
        runs.request_run(context, requests.from_json(context.params))
    elif run.is_over:
        return Done({"hosts": run.hosts, "changes": run.changes, "error": run.error, "error_code": run.error_code})
    return Wait(runs.POLL_SECONDS, message="Ansible is at work")


def stop_ansible(context):
    if runs.request_stop(context.operation):
        return Wait(runs.POLL_SECONDS, message="Ansible is being stopped")
    return Done()
