from datetime import timedelta

from django.db.models import F

from apps.operations.models import Operation


def test_waiting_for_its_turn_uses_up_none_of_its_time(ask, step, web_01, run_worker):
    ask("redis")
    second = ask("nginx")
    waiting = step(second)
    Operation.objects.filter(pk=waiting.pk).update(deadline_at=F("deadline_at") - timedelta(hours=2))
    assert step(second).status == "running"
    run_worker()
    assert set(Operation.objects.values_list("status", flat=True)) == {"completed"}
