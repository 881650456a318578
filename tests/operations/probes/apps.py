import os

from django.apps import AppConfig


class ProbesConfig(AppConfig):
    name = "tests.operations.probes"

    def ready(self):
        from apps.operations.registry import PeriodicTask, register_kinds, register_periodic_task
        from tests.operations.probes.kinds import KINDS

        register_kinds(KINDS)
        if os.environ.get("BROKEN_TIMER"):  # the worker's main loop fails when it writes the schedule
            register_periodic_task(
                PeriodicTask(name="broken", function="tests.operations.probes.handlers.note", minutes="many")
            )
