"""The API's one door: count the call, check the credentials, spoil it if a fault waits for it, else answer."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from . import credentials, faults, ledger, routes, state
from .answers import Answer, ApiError, to_response
from .calls import Call


@csrf_exempt
def api(request: HttpRequest, version: str, rest: str = "") -> HttpResponse:
    """Answer any call to any version of the API."""
    call = Call.of(request, version, rest)
    with state.changing() as db:
        ledger.count_call(db, call.method, call.path)
    try:
        credentials.check(request.headers.get("Authorization", ""))
    except ApiError as error:
        return to_response(error.answer)
    with state.changing() as db:
        rule = faults.take(db, call)
    if rule is None:
        return to_response(worked(call))
    return faults.ACTIONS[rule["action"]](rule, lambda: worked(call))


def worked(call: Call) -> Answer:
    """Do what the call asks; a refusal is an answer too."""
    try:
        return routes.answer(call)
    except ApiError as error:
        return error.answer
