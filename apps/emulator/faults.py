"""Faults on order: rules that spoil the next calls they match. One rule:

    {"method": "POST", "path": "/server$", "body": "web-1", "times": 1, "action": "respond", …}

`path` is a regular expression searched in the path with its version and without trailing slash (`/1.3/server`), `body`
a text that the request holds; without one of them, or with `times` null, anything matches, for ever. Actions:

    respond            answer `status`, `json` or `text`, `content_type`, `headers`, and do nothing
    drop               do nothing and lose the answer
    drop_after_commit  do the work and lose the answer
    hang               wait `seconds`, then do the work and answer
    hang_after_commit  do the work, wait `seconds`, then answer
    short_list         answer only the first `keep` items of a list; `total` replaces the count in the header
"""

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from apps.emulator.requests import Call
from apps.emulator.responses import JSON, Answer, to_response
from apps.system.linear_regex import compiled, found

Rule = dict[str, Any]
Work = Callable[[], Answer]


def add(db: sqlite3.Connection, rule: Rule) -> None:
    """Add a rule; raises ValueError when it makes no sense."""
    if rule.get("action") not in ACTIONS:
        raise ValueError(f"The action must be one of {', '.join(ACTIONS)}.")
    compiled(rule.get("path", ""))
    db.execute("INSERT INTO faults (rule, times) VALUES (?, ?)", [json.dumps(rule), rule.get("times", 1)])


def take(db: sqlite3.Connection, call: Call) -> Rule | None:
    """Find the oldest rule that matches a call, and use it up by one."""
    for row in db.execute("SELECT * FROM faults WHERE times IS NULL OR times > 0 ORDER BY id").fetchall():
        rule = json.loads(row["rule"])
        if applies(rule, call):
            db.execute("UPDATE faults SET times = times - 1 WHERE id = ?", [row["id"]])
            return rule
    return None


def applies(rule: Rule, call: Call) -> bool:
    """Tell whether a rule matches a call."""
    if rule.get("method", call.method).upper() != call.method or not found(rule.get("path", ""), call.path):
        return False
    return rule.get("body", "") in call.raw.decode(errors="replace")


def respond(rule: Rule, work: Work) -> HttpResponse:
    """Answer as the rule says, in place of the work."""
    body = json.dumps(rule["json"]) if "json" in rule else rule.get("text", "")
    answer = to_response(Answer(rule.get("status", 503), content_type=rule.get("content_type", JSON)))
    answer.content = body.encode()
    answer["Content-Length"] = str(len(answer.content))
    for name, value in rule.get("headers", {}).items():
        answer[name] = value
    return answer


def drop(rule: Rule, work: Work) -> HttpResponse:
    """Lose the answer: less is sent than was announced, so that the connection breaks before the end.

    Under the development server of Django the connection stays open instead, and the client's read times out.
    """
    response = HttpResponse(b'{"server": {', status=rule.get("status", 200), content_type=JSON)
    response["Content-Length"] = "4096"
    return response


def drop_after_commit(rule: Rule, work: Work) -> HttpResponse:
    """Do the work and lose the answer; 204 turns into 200, because nothing can be cut off from an empty answer."""
    status = work().status
    return drop(rule | {"status": 200 if status == 204 else status}, work)


def hang(rule: Rule, work: Work) -> HttpResponse:
    """Wait before the work."""
    time.sleep(rule.get("seconds", 1))
    return to_response(work())


def hang_after_commit(rule: Rule, work: Work) -> HttpResponse:
    """Wait between the work and the answer."""
    answer = work()
    time.sleep(rule.get("seconds", 1))
    return to_response(answer)


def short_list(rule: Rule, work: Work) -> HttpResponse:
    """Leave items out of a list."""
    answer = work()
    for wrapper in (answer.payload or {}).values():
        for name in [name for name, items in wrapper.items() if isinstance(items, list)]:
            wrapper[name] = wrapper[name][: rule.get("keep", 0)]
    return to_response(Answer(answer.status, answer.payload, rule.get("total", answer.total)))


ACTIONS: dict[str, Callable[[Rule, Work], HttpResponse]] = {
    action.__name__: action for action in (respond, drop, drop_after_commit, hang, hang_after_commit, short_list)
}
