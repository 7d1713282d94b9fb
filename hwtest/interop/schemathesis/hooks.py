"""Puts what only a running post knows into requests that already fit the
description: the id of an encounter that stands where the operation needs it, a
purpose that the policy names, credentials that are right, an authenticator's
answer. What it puts there is made by the test (schemathesis_test.go). Requests
that are made to be wrong are left as they are."""

import json
import os
import urllib.request

import schemathesis

SEEDS = os.environ["WATCHPOST_SEEDS"]


def ask(what):
    with urllib.request.urlopen(SEEDS + "/" + what, data=b"") as answer:
        return json.load(answer)


@schemathesis.auth(refresh_interval=None)
class Session:
    """Signs every call in. The session that sign-out ends is one of its own."""

    def get(self, case, context):
        return ask("authorize/" + case.operation.definition.raw["operationId"])["authorization"]

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": data}


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and not case.meta.generation.mode.is_positive:
        return
    made = ask("seed/" + case.operation.definition.raw["operationId"])
    if made.get("path"):
        case.path_parameters = {**(case.path_parameters or {}), **made["path"]}
    if made.get("query"):
        case.query = {**(case.query or {}), **made["query"]}
    if made.get("body") and isinstance(case.body, dict):
        case.body = {**{k: v for k, v in case.body.items() if k not in made.get("without", [])}, **made["body"]}
