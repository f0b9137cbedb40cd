"""The Inductiva API: the launcher's calls and the runner's."""

import re
from urllib.parse import parse_qsl, unquote

from .exchange import after_effect, before_effect, recorded
from .http import Response
from .inductiva_groups import DEFAULT_API_KEY

__all__ = ["DEFAULT_API_KEY", "InductivaApi"]

# What POST /compute/group takes, and the type of each.
_GROUP_FIELDS = {
    "provider_id": str,
    "name": str,
    "machine_type": str,
    "disk_size_gb": int,
    "cpu_cores_logical": int,
    "cpu_cores_physical": int,
    "gpu_count": int,
    "gpu_name": str,
    "max_idle_time": int,
    "type": str,
    "num_machines": int,
    "spot": bool,
}
_PROVIDERS = ("LOCAL", "GCP", "ICE", "AWS")
_STRICT_NAME = re.compile(r"[0-9a-zA-Z-]+")


class _Refusal(Exception):
    def __init__(self, status, detail):
        super().__init__(str(detail))
        self.status = status
        self.detail = detail


def _invalid(field, message, kind="value_error"):
    return {"loc": ["body", field], "msg": message, "type": kind}


class InductivaApi:
    def __init__(self, tenant):
        self._tenant = tenant
        self._groups = tenant.inductiva

    def answer(self, request):
        query = dict(parse_qsl(request.query))
        try:
            body = request.json()
        except ValueError:
            body = request.body.decode("utf-8", "replace")
        operation = f"{request.method} {unquote(request.path)}"
        parameters = {**query, **(body if isinstance(body, dict) else {})}
        with recorded(
            self._tenant,
            service="inductiva",
            operation=operation,
            region=None,
            params={"query": query, "body": body},
            user_agent=request.headers.get("User-Agent"),
            access_key_id=None,
        ) as answered:
            try:
                fault = before_effect(self._tenant, "inductiva", operation, parameters)
                if fault is not None and fault.kind == "error":
                    raise _Refusal(fault.status, fault.detail)
                if fault is not None and fault.kind == "answer":
                    answered(fault.status)
                    return Response(fault.status, fault.body.encode(), fault.headers)
                try:
                    with self._tenant.lock:
                        self._tenant.lifecycle.advance()
                        self._groups.register_running(self._tenant)
                        response = self._effect(request, query, body)
                finally:
                    after_effect(self._tenant, fault)
                if fault is not None and fault.kind == "error_answer":
                    raise _Refusal(fault.status, fault.detail)
            except _Refusal as refusal:
                answered(refusal.status, str(refusal))
                return Response.of_json({"detail": refusal.detail}, refusal.status)
            answered(response.status)
            return response

    def _effect(self, request, query, body):
        if self._groups.status is not None:
            raise _Refusal(self._groups.status, "set by the test")
        if request.headers.get("X-API-Key") not in self._groups.keys:
            raise _Refusal(self._groups.rejected_key_status, "Invalid API key")
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return handler(self, query, body, *map(unquote, match.groups()))
        raise _Refusal(404, "Not Found")

    def _user(self, _query, _body):
        return Response.of_json(
            {
                "username": "sandbox",
                "email": "sandbox@example.com",
                "name": "Sandbox User",
                "tier": "standard",
            }
        )

    def _list_groups(self, _query, _body):
        return Response.of_json([_public(g) for g in self._groups.active()])

    def _get_group(self, _query, _body, name):
        group = self._groups.find(name)
        if group is None:
            raise _Refusal(404, f"Machine group {name} not found")
        return Response.of_json(_public(group))

    def _create_group(self, _query, body):
        errors = self._faults_of(body)
        if errors:
            raise _Refusal(422, errors)
        if self._groups.refuse_duplicates:
            names = [group["name"] for group in self._groups.active()]
            if body.get("name") in names:
                raise _Refusal(409, f"Machine group {body['name']} exists already")
        return Response.of_json(_public(self._groups.create(body)), 201)

    def _faults_of(self, body):
        if not isinstance(body, dict):
            return [{"loc": ["body"], "msg": "not an object", "type": "dict_type"}]
        errors = []
        if "provider_id" not in body:
            errors.append(_invalid("provider_id", "Field required", "missing"))
        elif body["provider_id"] not in _PROVIDERS:
            errors.append(_invalid("provider_id", "Unknown provider", "enum"))
        for field, value in body.items():
            expected = _GROUP_FIELDS.get(field)
            if expected is None or value is None:
                continue
            # In Python, but not in the API, a boolean is an integer.
            wrong_bool = isinstance(value, bool) and expected is not bool
            if wrong_bool or not isinstance(value, expected):
                message = f"Input should be a valid {expected.__name__}"
                errors.append(_invalid(field, message, f"{expected.__name__}_type"))
        name = body.get("name")
        if self._groups.strict_names and isinstance(name, str):
            if not _STRICT_NAME.fullmatch(name):
                message = "String should match pattern '^[0-9a-zA-Z-]+$'"
                errors.append(_invalid("name", message, "string_pattern_mismatch"))
        if self._groups.refuse_machine_type and "machine_type" in body:
            errors.append(
                _invalid("machine_type", "Extra inputs are not permitted", "extra")
            )
        return errors

    def _delete_group(self, query, _body):
        group = self._groups.find_id(query.get("machine_group_id"))
        if group is None:
            raise _Refusal(404, "Machine group not found")
        self._groups.delete(group)
        return Response.of_json({"id": group["id"], "name": group["name"]}, 202)

    def _register_runner(self, _query, body):
        body = body if isinstance(body, dict) else {}
        group = self._groups.find_id(body.get("machine_group_id"))
        if group is None or group["deleted"]:
            raise _Refusal(404, "Machine group not found")
        if not body.get("host_name"):
            raise _Refusal(422, [_invalid("host_name", "Field required", "missing")])
        machine = self._groups.add_machine(
            group, body["host_name"], host_id=body.get("host_id")
        )
        return Response.of_json(
            {"task_runner_id": machine["id"], "machine_group_id": group["id"]}, 202
        )

    def _runner(self, runner_id):
        machine = self._groups.find_machine("id", runner_id)
        if machine is None:
            raise _Refusal(404, "Task runner not found")
        return machine

    def _next_task(self, _query, _body, runner_id):
        machine = self._runner(runner_id)
        if machine["terminated_at"]:
            raise _Refusal(410, "Task runner terminated")
        self._groups.seen(machine)
        return Response(204)

    def _event(self, _query, body, runner_id):
        machine = self._runner(runner_id)
        if isinstance(body, dict) and body.get("type") == "TaskRunnerTerminated":
            self._groups.end_machine(machine)
        return Response.of_json({}, 202)


def _public(group):
    return {k: v for k, v in group.items() if k not in ("create_body", "deleted")}


_ROUTES = (
    ("GET", r"/users/info", InductivaApi._user),
    ("GET", r"/compute/groups", InductivaApi._list_groups),
    ("GET", r"/compute/group/([^/]+)", InductivaApi._get_group),
    ("POST", r"/compute/group", InductivaApi._create_group),
    ("DELETE", r"/compute/group", InductivaApi._delete_group),
    ("POST", r"/task-runner/register", InductivaApi._register_runner),
    ("GET", r"/task-runner/([^/]+)/task", InductivaApi._next_task),
    ("POST", r"/task-runner/([^/]+)/event", InductivaApi._event),
)
