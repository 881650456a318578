"""The entry point of the emulated API: count the call, check credentials, inject a fault if one is due, else answer."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apps.emulator import authentication, faults, ledger, routes, state
from apps.emulator.requests import Call
from apps.emulator.responses import Answer, ApiError, to_response


@csrf_exempt
def api(request: HttpRequest, version: str, rest: str = "") -> HttpResponse:
    """Answer any call to any version of the API."""
    call = Call.of(request, version, rest)
    with state.changing() as db:
        ledger.count_call(db, call.method, call.path)
    try:
        authentication.check(request.headers.get("Authorization", ""))
    except ApiError as error:
        return to_response(error.answer)
    with state.changing() as db:
        rule = faults.take(db, call)
    if rule is None:
        return to_response(handle(call))
    return faults.ACTIONS[rule["action"]](rule, lambda: handle(call))


def handle(call: Call) -> Answer:
    """Do what the call asks; a refusal is an answer too."""
    try:
        return routes.answer(call)
    except ApiError as error:
        return error.answer
