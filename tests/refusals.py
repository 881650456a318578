"""The one shape of every error."""

import json

CODES = {
    400: {"VALIDATION_ERROR", "PARSE_ERROR"},
    401: {"UNAUTHORIZED", "INVALID_CREDENTIALS", "INVALID_REFRESH_TOKEN"},
    403: {"FORBIDDEN"},
    404: {"NOT_FOUND"},
    405: {"METHOD_NOT_ALLOWED"},
    408: {"REQUEST_TIMEOUT"},
    409: {"CONFLICT"},
    413: {"PAYLOAD_TOO_LARGE"},
    415: {"UNSUPPORTED_MEDIA_TYPE"},
    429: {"RATE_LIMITED"},
    500: {"INTERNAL_ERROR"},
    503: {"SERVICE_UNAVAILABLE"},
}


def refused(answer, status, error=None, field=None):
    """Hold an answer to the shape of errors; return its body."""
    assert answer.status_code == status, (answer.status_code, answer.content[:500])
    assert answer["Content-Type"] == "application/json", answer["Content-Type"]
    body = json.loads(answer.content)
    hold(body, status, error)
    if status == 401:
        assert answer["WWW-Authenticate"]
    if field:
        assert any(name == field or name.startswith(field + ".") for name in body["details"]), body
    return body


def hold(body, status, error=None):
    """Hold a decoded body to the shape."""
    assert list(body) in (["error", "message", "code"], ["error", "message", "code", "details"])
    assert body["error"] in ({error} if error else CODES[status]), body
    assert body["code"] == str(status)
    assert isinstance(body["message"], str) and body["message"].strip()
    if "details" in body:
        assert body["error"] == "VALIDATION_ERROR"
        assert body["details"] and all(
            isinstance(faults, list) and faults and all(isinstance(fault, str) and fault for fault in faults)
            for faults in body["details"].values()
        )
