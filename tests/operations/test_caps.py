"""A cap counts what somebody has claimed, begun or not."""

from apps.operations import claims, services
from apps.operations.models import Lane, Operation


def test_it_counts_what_is_claimed_and_not_begun(db):
    Lane.objects.create(name="narrow", most=1)
    for _ in range(2):
        services.submit(kind="server.create", workspace=None, actor=None, params={}, lane="narrow")
    Operation.objects.update(due_at=claims.in_seconds(-1))
    [first] = claims.claim(owner="node-1", most=5)
    assert claims.claim(owner="node-2", most=5) == []
    Operation.objects.filter(pk=first.operation_id).update(due_at=claims.in_seconds(-1))
    assert len(claims.claim(owner="node-2", most=5)) == 1, "a claim that has run out holds no place"
