"""IAM policies: those that a test sets as switches, and whole documents.

Evaluation as in "Policy evaluation logic" for one account: an explicit deny
wins; then something must allow, unless nothing but denials was set.
"""

import re
from dataclasses import dataclass, field
from typing import Optional

# How AWS ends the sentence ("Troubleshoot access denied error messages").
_ENDINGS = {
    "identity": "with an explicit deny in an identity-based policy",
    "scp": "with an explicit deny in a service control policy",
    "boundary": "with an explicit deny in a permissions boundary",
    "session": "with an explicit deny in a session policy",
    "implicit": "because no identity-based policy allows the {action} action",
    "implicit-scp": "because no service control policy allows the {action} action",
    "implicit-boundary": "because no permissions boundary allows the {action} action",
    "implicit-session": "because no session policy allows the {action} action",
}
_SWITCHES = {
    "require_mfa": bool,
    "deny": list,
    "reason": str,
    "allow": list,
    "documents": list,
    "older_messages": bool,
}


@dataclass(frozen=True)
class Decision:
    allowed: bool
    reason: str = "implicit"
    statement: Optional["Statement"] = None

    @property
    def explicit(self):
        return not self.allowed and not self.reason.startswith("implicit")

    def ending(self, action):
        return _ENDINGS[self.reason].format(action=action)


@dataclass(frozen=True)
class Statement:
    """One statement; raises ValueError for what the sandbox cannot evaluate."""

    effect: str
    actions: list
    resources: list = field(default_factory=lambda: ["*"])
    conditions: dict = field(default_factory=dict)
    all_actions_but: bool = False
    all_resources_but: bool = False
    sid: str = ""
    reason: str = "identity"

    @classmethod
    def of_json(cls, given):
        known = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource"}
        unknown = set(given) - known - {"Condition"}
        if unknown:
            raise ValueError(f"a statement with {sorted(unknown)}")
        if given.get("Effect") not in ("Allow", "Deny"):
            raise ValueError(f"Effect must be Allow or Deny: {given}")
        if ("Action" in given) == ("NotAction" in given):
            raise ValueError(f"one of Action and NotAction: {given}")
        if ("Resource" in given) == ("NotResource" in given):
            raise ValueError(f"one of Resource and NotResource: {given}")
        conditions = given.get("Condition", {})
        for operator in conditions:
            _Operator.of_name(operator)
        return cls(
            effect=given["Effect"],
            actions=_as_list(given.get("Action", given.get("NotAction"))),
            resources=_as_list(given.get("Resource", given.get("NotResource"))),
            conditions=conditions,
            all_actions_but="NotAction" in given,
            all_resources_but="NotResource" in given,
            sid=given.get("Sid", ""),
        )

    def applies_to(self, action, resource, context):
        named = any(_matches(p, action, ignore_case=True) for p in self.actions)
        held = any(_matches(p, resource) for p in self.resources)
        return (
            named != self.all_actions_but
            and held != self.all_resources_but
            and all(
                _Operator.of_name(operator).holds(context.get(key.lower()), values)
                for operator, keys in self.conditions.items()
                for key, values in keys.items()
            )
        )


class Policy:
    """What an account's callers may do: everything, until a test says otherwise."""

    def __init__(self, given=None):
        """Raises ValueError at an unknown switch or a statement it cannot evaluate.

        require_mfa     nothing in EC2 without MFA
        deny            action patterns, denied for `reason`
        reason          a key of _ENDINGS, `identity` by default
        allow           action patterns: all else is denied implicitly
        documents       policies as IAM takes them: all else is denied implicitly
        older_messages  denials without who, what and why
        """
        self._given = dict(given or {})
        for name, value in self._given.items():
            if name not in _SWITCHES:
                raise ValueError(f"unknown {name!r}; known: {sorted(_SWITCHES)}")
            if not isinstance(value, _SWITCHES[name]):
                raise ValueError(f"{name} must be a {_SWITCHES[name].__name__}")
        reason = self._given.get("reason", "identity")
        if reason not in _ENDINGS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(_ENDINGS)}")
        self.older_messages = self._given.get("older_messages", False)
        self._statements = list(self._read(reason))
        self._allows_all = not {"allow", "documents"} & set(self._given)

    def as_json(self):
        return self._given

    def decide(self, action, resource, context):
        """`context` has condition keys in lower case, each with a list of values."""
        applying = [s for s in self._statements if s.applies_to(action, resource, context)]
        for statement in applying:
            if statement.effect == "Deny":
                return Decision(False, statement.reason, statement)
        for statement in applying:
            if statement.effect == "Allow":
                return Decision(True, statement=statement)
        return Decision(self._allows_all)

    def _read(self, reason):
        if self._given.get("deny"):
            yield Statement("Deny", self._given["deny"], sid="Denied", reason=reason)
        if self._given.get("require_mfa"):
            # The form that AWS recommends: long-term keys lack the key.
            absent = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
            yield Statement("Deny", ["ec2:*"], conditions=absent, sid="DenyWithoutMFA")
        if self._given.get("allow"):
            yield Statement("Allow", self._given["allow"], sid="Allowed")
        for document in self._given.get("documents", []):
            for statement in _as_list(document["Statement"]):
                yield Statement.of_json(statement)


def _as_list(value):
    return value if isinstance(value, list) else [value]


def _matches(pattern, text, ignore_case=False):
    """IAM's wildcards: * and ? only."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.fullmatch(expression, text, flags) is not None


def _same(wanted, actual):
    return wanted == actual


def _same_but_for_case(wanted, actual):
    return wanted.lower() == actual.lower()


_COMPARISONS = {
    "StringEquals": _same,
    "StringEqualsIgnoreCase": _same_but_for_case,
    "StringLike": _matches,
    "ArnEquals": _matches,
    "ArnLike": _matches,
    "Bool": _same_but_for_case,
    "NumericEquals": lambda wanted, actual: float(actual) == float(wanted),
    "NumericLessThan": lambda wanted, actual: float(actual) < float(wanted),
    "NumericLessThanEquals": lambda wanted, actual: float(actual) <= float(wanted),
    "NumericGreaterThan": lambda wanted, actual: float(actual) > float(wanted),
    "NumericGreaterThanEquals": lambda wanted, actual: float(actual) >= float(wanted),
}
_NEGATIONS = {
    name.replace("Equals", "NotEquals").replace("Like", "NotLike"): name
    for name in ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals")
} | {"ArnNotLike": "ArnLike", "NumericNotEquals": "NumericEquals"}


@dataclass(frozen=True)
class _Operator:
    compare: object  # None for Null
    negated: bool
    if_exists: bool
    quantifier: Optional[str]

    @classmethod
    def of_name(cls, full_name):
        quantifier, _, name = full_name.rpartition(":")
        if quantifier not in ("", "ForAllValues", "ForAnyValue"):
            raise ValueError(f"the condition operator {full_name}")
        if_exists = name.endswith("IfExists")
        name = name[: -len("IfExists")] if if_exists else name
        if name == "Null":
            return cls(None, False, False, None)
        negated = name in _NEGATIONS
        compare = _COMPARISONS.get(_NEGATIONS.get(name, name))
        if compare is None:
            raise ValueError(f"the condition operator {full_name}")
        return cls(compare, negated, if_exists, quantifier or None)

    def holds(self, actual, wanted):
        """`actual` is the list of the key's values, None when the key is absent."""
        wanted = [_as_text(value) for value in _as_list(wanted)]
        if self.compare is None:
            return (actual is None) == (wanted[0].lower() == "true")
        if actual is None:
            return self.if_exists or self.negated or self.quantifier == "ForAllValues"
        found = [any(self.compare(w, value) for w in wanted) for value in actual]
        found = [one != self.negated for one in found]
        return all(found) if self.quantifier == "ForAllValues" else any(found)


def _as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
