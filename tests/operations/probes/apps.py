from django.apps import AppConfig


class ProbesConfig(AppConfig):
    name = "tests.operations.probes"

    def ready(self):
        from apps.operations.registry import register
        from tests.operations.probes.kinds import KINDS

        register(KINDS)
