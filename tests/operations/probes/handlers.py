"""Steps that do well, and steps that do what no step should."""

import ctypes
import hashlib
import os
import signal
import subprocess
import time
from contextlib import suppress

from django.db import connection, transaction

from apps.operations.errors import Refused, Retry
from apps.operations.steps import Done, Wait
from tests.operations.probes import ledger


def instant(context):
    return Done(context.params)


def nap(context):
    began(context)
    time.sleep(context.params["seconds"])
    return Done()


def wait(context):
    left = context.state.get("left", context.params["times"])
    return Wait(context.params["seconds"], {"left": left - 1}, f"{left} to go") if left else Done()


def stumble(context):
    """Fail for a while."""
    failed = context.state.get("failed", 0)
    if failed == context.params["times"]:
        return Done()
    context.save(failed=failed + 1)
    raise Retry("STUMBLED", "It stumbled.", after=0.05)


def refuse(context):
    raise Refused("NO", "Never.")


def break_down(context):
    raise ZeroDivisionError("a bug")


def unspeakable(context):
    return Done({"it": object()})


def die(context):
    began(context)
    os._exit(3)


def spin(context):
    began(context)
    while True:
        pass


def cling(context):
    """Listen to nobody."""
    began(context)
    while True:
        with suppress(BaseException):
            time.sleep(60)


def compute(context):
    """Stay in C code that no signal interrupts, though other threads run."""
    began(context)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


def seize(context):
    """Stay in C code that lets no thread run."""
    began(context)
    ctypes.PyDLL(None).sleep(600)


def query(context):
    """Stay in the database, inside a transaction."""
    began(context)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(600)")


def employ(context):
    """Start programs, one of them in a session of its own as terminals' are, and wait for them."""
    began(context)
    programs = [subprocess.Popen(["sleep", "600"], start_new_session=alone) for alone in (False, True)]
    for program in programs:
        ledger.write(context.operation.id, "child", program.pid)
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


def give_lambda():
    ledger.write("task", "lambda")
    return lambda: None


async def coroutine():
    ledger.write("task", "coroutine")


def raising():
    raise ValueError("the task's own fault")


def great(size):
    ledger.write("task", "great")
    return "x" * size
