"""What a healthy fleet does with well- and ill-behaved steps."""


def test_it_runs_steps_to_their_true_end(fleet, submit, ended):
    fleet.start()
    made = [
        submit("instant", word="hello"),
        submit("wait", times=3, seconds=0.1),
        submit("stumble", times=3),
        submit("refuse"),
        submit("break_down"),
        submit("unspeakable"),
        submit("terminate"),
    ]
    done = ended(*made)
    assert [(one.kind, one.status, one.error_code) for one in done] == [
        ("probe.instant", "completed", ""),
        ("probe.wait", "completed", ""),
        ("probe.stumble", "completed", ""),
        ("probe.refuse", "failed", "NO"),
        ("probe.break_down", "failed", "INTERNAL_ERROR"),
        ("probe.unspeakable", "failed", "INTERNAL_ERROR"),
        ("probe.terminate", "completed", ""),
    ]
    assert done[0].result == {"word": "hello"}
    assert done[-1].result["code"] == done[-1].result["expected"], "a step's own child must hear SIGTERM"
