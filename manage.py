#!/usr/bin/env python
"""Run a management command: `python manage.py help` lists them."""

import codecs
import locale
import os
import sys


def use_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale has another encoding; it is chosen at the start only."""
    if not sys.flags.utf8_mode and codecs.lookup(locale.getencoding()).name != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the same program
    for stream in (sys.stdout, sys.stderr):  # PYTHONIOENCODING may still ask for less
        stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    use_utf8()
    from provisioning.private_files import UMASK

    os.umask(UMASK)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "provisioning.settings")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
