"""Asks a function from docs/receivers.md about requests: `drive.py SNIPPET [FURTHER SNIPPET]`, one request a line."""

import base64
import sys
import time
import types

NAMES = ["webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256"]
NOW = 0


def freeze(scope):
    """Everything that the function or its library can ask for the time says NOW."""
    time.time = lambda: float(NOW)
    library = sys.modules.get("standardwebhooks.webhooks")
    if library:
        real = library.datetime

        class Frozen(real):
            @classmethod
            def now(cls, tz=None):
                return real.fromtimestamp(NOW, tz)

        library.datetime = Frozen


def stand_in_for_functions(scope):
    """As much of `azure.functions` as the page uses, and a workflow that takes everything."""

    class Answer:
        def __init__(self, body=None, status_code=200):
            self.status_code = status_code

    class App:
        def __init__(self, http_auth_level):
            assert http_auth_level == "anonymous"

        def route(self, route, methods):
            assert methods == ["POST"]
            return lambda function: function

    functions = types.ModuleType("azure.functions")
    functions.AuthLevel = types.SimpleNamespace(ANONYMOUS="anonymous")
    functions.FunctionApp, functions.HttpRequest, functions.HttpResponse = App, object, Answer
    azure = types.ModuleType("azure")
    azure.functions = functions
    sys.modules.update({"azure": azure, "azure.functions": functions})


def ask_function_app(scope):
    """The function app as the thing that is asked: 202 is what the workflow says, 401 what the app does."""
    import os
    import urllib.request

    class Workflow:
        status = 202

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    handed_on = []
    urllib.request.urlopen = lambda request, timeout: handed_on.append(request) or Workflow()
    hook = scope["hook"]

    def ask(headers, body, secrets):
        os.environ.update(WEBHOOK_SECRETS=" ".join(secrets), WORKFLOW_URL="http://workflow.example/x")
        handed_on.clear()
        upper = {name.title(): value for name, value in headers.items()}
        request = types.SimpleNamespace(headers=upper, get_body=lambda: body)
        status = hook(request).status_code
        assert status == (202 if handed_on else 401), status
        assert not handed_on or handed_on[0].data == body
        return status == 202

    return ask


def main():
    global NOW
    scope = {"__name__": "snippet"}
    is_app = any("azure-function" in path for path in sys.argv)
    if is_app:
        stand_in_for_functions(scope)
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            exec(compile(file.read(), path, "exec"), scope)
    freeze(scope)
    ask = ask_function_app(scope) if is_app else scope["is_from_hsmwatch"]
    is_hub = "hub" in sys.argv[1]
    for line in sys.stdin:
        now, secrets, *headers, body = line.rstrip("\n").split("\t")
        NOW = int(now)
        headers = {name: value for name, value in zip(NAMES, headers) if value != "-"}
        secrets = secrets.split(" ")
        print(int(ask(headers, base64.b64decode(body), secrets[0] if is_hub else secrets)), flush=True)


main()
