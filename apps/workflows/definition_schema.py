"""The JSON Schema of the definition format: what the parser holds a file to, and what editors complete by."""

from __future__ import annotations

from typing import Any

NAME = r"^[a-z][a-z0-9_]{0,39}$"
OUTCOMES = ("success", "failure", "always")
ACTIONS = ("uses", "workflow", "approve", "wait")
COUNT: dict[str, Any] = {"type": ["integer", "string"], "minimum": 1}
NEED: dict[str, Any] = {
    "type": ["string", "object"],
    "additionalProperties": False,
    "required": ["step"],
    "properties": {
        "step": {"type": "string", "description": "The step that must have ended."},
        "outcome": {"enum": list(OUTCOMES), "description": "How it must have ended; by default success."},
    },
}
APPROVE: dict[str, Any] = {
    "type": "object",
    "description": "Wait until a person approves.",
    "additionalProperties": False,
    "required": ["message"],
    "properties": {
        "message": {"type": "string", "minLength": 1, "description": "What is to be approved; may hold expressions."},
        "permission": {
            "type": "string",
            "pattern": NAME,
            "description": "The permission to approve; by default workflow_cancel.",
        },
        "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds until it expires."},
        "then": {"enum": ["reject", "approve"], "description": "What its expiry means; by default reject."},
        "by_submitter": {"type": "boolean", "description": "Whoever submitted the workflow may approve it too."},
    },
}
WAIT: dict[str, Any] = {
    "type": "object",
    "description": "Wait for some seconds, or until a time.",
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        "for": {"type": ["number", "string"], "minimum": 0, "description": "Seconds."},
        "until": {"type": "string", "description": "A time in ISO 8601; UTC unless it has an offset."},
    },
}
STEP: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": NAME, "description": "Its name in needs and expressions."},
        "uses": {"type": "string", "pattern": r"^[a-z_]+\.[a-z_]+$", "description": "The kind of operation."},
        "workflow": {"type": "string", "minLength": 1, "description": "The type of a workflow to run as this step."},
        "approve": APPROVE,
        "wait": WAIT,
        "with": {"type": "object", "description": "The operation's input, or the workflow's parameters."},
        "needs": {
            "type": "array",
            "items": NEED,
            "uniqueItems": True,
            "description": "The steps that must have ended before.",
        },
        "for_each": {"type": ["string", "array"], "description": "A list: one operation for each of its items."},
        "when": {"type": ["string", "boolean"], "description": "Skip the step where this is false."},
        "max_parallel": {**COUNT, "description": "So many operations of the step run at once at most."},
        "retry": {
            "type": "object",
            "description": "Try again after a failure.",
            "additionalProperties": False,
            "required": ["attempts"],
            "properties": {
                "attempts": {"type": "integer", "minimum": 1, "maximum": 20},
                "delay_seconds": {"type": "number", "minimum": 0, "maximum": 86400},
            },
        },
        "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds; then it is stopped and failed."},
        "tolerate": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Error codes that mean there was nothing to do.",
        },
    },
}
SHAPE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "steps"],
    "properties": {
        "title": {"type": "string", "minLength": 1, "description": "What people read."},
        "description": {"type": "string", "description": "What it does, in a sentence or two."},
        "permissions": {
            "type": "array",
            "items": {"type": "string", "pattern": NAME},
            "uniqueItems": True,
            "description": "Asked of whoever submits it, besides workflow_submit and those of steps that delete.",
        },
        "parameters": {"type": "object", "description": "A JSON Schema (Draft 2020-12) of the parameters."},
        "target": {"type": "string", "description": "The name of what it changes; only one workflow at a time may."},
        "effect": {"enum": ["create", "change", "delete"], "description": "What it does to the target."},
        "max_parallel": {**COUNT, "description": "So many operations run at once at most."},
        "steps": {"type": "array", "minItems": 1, "maxItems": 2000, "items": STEP},
        "outputs": {"type": "object", "description": "The workflow's result."},
        "on_failure": {
            "enum": ["rollback", "stop", "continue"],
            "description": "Roll back what was made (default), keep it, or go on with what does not need it.",
        },
    },
    "dependentRequired": {"effect": ["target"]},
}


def published_schema() -> dict[str, Any]:
    """Return the schema for editors, which also says that a step does exactly one thing."""
    step = {**STEP, "oneOf": [{"required": [action]} for action in ACTIONS]}
    steps = {**SHAPE["properties"]["steps"], "items": step}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow definition",
        **SHAPE,
        "properties": {**SHAPE["properties"], "steps": steps},
    }
