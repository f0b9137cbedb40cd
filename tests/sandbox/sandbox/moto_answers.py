"""EC2's answers as XML: the same text as moto's serializer and xmltodict make of the
same values, in one pass and by plans that are made once.

What moto does with a value depends on its place in an answer, which is the operation
and the fields that lead there, and on its type and attributes, which decide whether and
under what name a field is found. A plan is made at the first value of each kind.
"""

import base64
import functools
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from botocore.utils import parse_to_aware_datetime
from moto.core import serialize

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'


def write_answers():
    """Lets moto write EC2's answers in this way."""
    serialize.EC2Serializer._serialize_result = _serialize_result


# By operation, and by the identity of a response class's transformers, which stay as
# long as it does.
_answers = {}


def _serialize_result(self, response, result):
    asked = self.operation_name, id(self._value_picker.response_transformers)
    if asked not in _answers:
        _answers[asked] = _Answer(self.operation_model, self._value_picker)
    response["body"] = _answers[asked].text(result, self.context.request_id)
    response["headers"]["Content-Type"] = self.CONTENT_TYPE
    return response


class _Answer:
    """The answer of one operation."""

    def __init__(self, operation, picker):
        name = f"{operation.name}Response"
        namespace = operation.metadata.get("xmlNamespace")
        attribute = f" xmlns={quoteattr(namespace)}" if namespace else ""
        self._start, self._end = f"{DECLARATION}<{name}{attribute}>", f"</{name}>"
        shape = operation.output_shape
        self._structure = None
        if shape is not None:
            self._structure = _Structure(picker, shape, f"{operation.name}.{shape.name}")

    def text(self, result, request_id):
        pieces = [self._start]
        if self._structure is not None and result is not None:
            self._structure.write(pieces, result)
        pieces.append(f"<requestId>{request_id}</requestId>{self._end}")
        return "".join(pieces)


class _Structure:
    """A structure at one place in an answer."""

    def __init__(self, picker, shape, path):
        self._picker = picker
        self._shape = shape
        self._path = path
        self._plans = {}

    def write(self, pieces, value):
        """Adds what is between its tags."""
        kind = type(value)
        has = tuple(value if kind is dict else getattr(value, "__dict__", ()))
        plan = self._plans.get((kind, has))
        if plan is None:
            plan = self._plans[kind, has] = self._plan(value)
        for names, get, transform, write in plan:
            for name in names:
                found = get(value, name, serialize.MISSING)
                if found is not serialize.MISSING:
                    break
            else:
                found = None
            if transform is not None:
                found = transform(found)
            if found is not None:
                write(pieces, found)

    def _plan(self, value):
        """Of each field that a value of this type may have with these attributes or
        keys: the names under which it may have it, what gets it, what changes it, and
        what adds it with its tags."""
        plan, may_have = [], _may_have(value)
        for key, member in self._shape.members.items():
            member.parent = self._shape
            context = serialize.AttributePickerContext(value, key, member)
            names = tuple(dict.fromkeys(self._picker.get_possible_keys(context)))
            get = _getter(type(value), names)
            names = tuple(name for name in names if "." in name or may_have(name))
            path = f"{self._path}.{key}"
            transformers = self._picker.response_transformers.items()
            fitting = (change for ending, change in transformers if path.endswith(ending))
            transform = next(fitting, None)
            if names or transform is not None:
                tag = member.serialization.get("name", key)
                plan.append((names, get, transform, _element(self._picker, member, path, tag)))
        return plan


def _may_have(value):
    """What tells whether a value may have something by that name, one as it is now."""
    kind = type(value)
    if kind is dict:
        return value.__contains__
    if hasattr(kind, "__getattr__") or hasattr(kind, "__getitem__"):
        return lambda name: True
    return lambda name: hasattr(value, name) or hasattr(kind, name)


def _getter(kind, names):
    """The quickest that does what moto's `get_value` does for values of this type."""
    if any("." in name for name in names):
        return serialize.get_value
    if kind is dict:
        return dict.get
    return serialize.get_value if hasattr(kind, "__getitem__") else getattr


# --- Elements ---------------------------------------------------------------------


def _element(picker, shape, path, tag):
    """What adds a value with its tags."""
    if shape.type_name == "structure":
        return _structure(_structure_at(picker, shape, path), tag)
    if shape.type_name == "list":
        return _list(picker, shape, path, tag)
    return _text(tag, _TEXTS[shape.type_name])


def _structure_at(picker, shape, path):
    kind = {"Instance": _Machine, "Tag": _Tag}.get(shape.name, _Structure)
    return kind(picker, shape, path)


def _structure(structure, tag):
    start, end, empty = f"<{tag}>", f"</{tag}>", f"<{tag}/>"

    def write(pieces, value):
        before = len(pieces)
        pieces.append(start)
        structure.write(pieces, value)
        if len(pieces) == before + 1:
            pieces[before] = empty
        else:
            pieces.append(end)

    return write


def _list(picker, shape, path, tag):
    start, end, empty = f"<{tag}>", f"</{tag}>", f"<{tag}/>"
    member = shape.member
    item_path = f"{path}.{member.name}"
    item_tag = member.serialization.get("name", "member")
    if member.type_name == "structure":
        write_item = _structure_item(_structure_at(picker, member, item_path), item_tag)
    else:
        write_item = _element(picker, member, item_path, item_tag)

    def write(pieces, values):
        before = len(pieces)
        pieces.append(start)
        for value in values:
            write_item(pieces, value)
        if len(pieces) == before + 1:
            pieces[before] = empty
        else:
            pieces.append(end)

    return write


def _structure_item(structure, tag):
    """In a list; one that has nothing is left out."""
    start, end = f"<{tag}>", f"</{tag}>"

    def write(pieces, value):
        if value is None:
            return
        before = len(pieces)
        pieces.append(start)
        structure.write(pieces, value)
        if len(pieces) == before + 1:
            del pieces[before]
        else:
            pieces.append(end)

    return write


def _text(tag, convert):
    start, end, empty = f"<{tag}>", f"</{tag}>", f"<{tag}/>"

    def write(pieces, value):
        text = convert(value)
        if not text:
            pieces.append(empty)
            return
        # Next to no text has any of them.
        if "&" in text or "<" in text or ">" in text:
            text = escape(text)
        pieces.append(f"{start}{text}{end}")

    return write


def _boolean(value):
    return "true" if value is True or str(value).lower() == "true" else "false"


def _integer(value):
    return str(int(value))


def _float(value):
    return str(float(value))


def _time(value):
    time = value if isinstance(value, datetime) else parse_to_aware_datetime(value)
    return time.strftime(serialize.TimestampSerializer.ISO8601_MICRO_ZEROED)


def _blob(value):
    value = value.encode() if isinstance(value, str) else value
    return base64.b64encode(value).decode()


# EC2 has no other types in its answers.
_TEXTS = {
    "blob": _blob,
    "boolean": _boolean,
    "double": _float,
    "float": _float,
    "integer": _integer,
    "long": _integer,
    "string": str,
    "timestamp": _time,
}


# --- What is in several answers ---------------------------------------------------


class _Tag(_Structure):
    """A tag: machines, disks and interfaces have many, mostly the same ones."""

    def __init__(self, picker, shape, path):
        super().__init__(picker, shape, path)
        self._written = functools.lru_cache(maxsize=4096)(self._write_anew)

    def write(self, pieces, value):
        if type(value) is dict and value.keys() == _OF_A_TAG:
            pieces.append(self._written(value["key"], value["value"]))
        else:
            super().write(pieces, value)

    def _write_anew(self, key, value):
        pieces = []
        super().write(pieces, {"key": key, "value": value})
        return "".join(pieces)


# As `moto_library` makes tags.
_OF_A_TAG = {"resource_id", "key", "value", "resource_type"}


class _Machine(_Structure):
    """A machine, which is written once until it changes."""

    def __init__(self, picker, shape, path):
        # Only now, as `moto_library` imports it in a way of its own.
        from moto.ec2.models.instances import Instance

        super().__init__(picker, shape, path)
        self._type = Instance
        # As much of the place as a transformer can tell apart: most answers have
        # machines in the same form.
        longest = max(ending.count(".") for ending in picker.response_transformers)
        self._form = ".".join(path.split(".")[-longest:])

    def write(self, pieces, value):
        # Not one that shows without its tags, for example.
        if type(value) is not self._type:
            super().write(pieces, value)
            return
        changes = getattr(value.ec2_backend, "changes", 0)
        if value.__dict__.get("_written_at") != changes:
            value._written_at, value._written = changes, {}
        if self._form not in value._written:
            own = []
            super().write(own, value)
            value._written[self._form] = "".join(own)
        pieces.append(value._written[self._form])


def has_changed(instance):
    """To be called whenever a machine has."""
    instance._written_at = None


def have_changed(backend):
    """To be called whenever some machines have, nobody knows which."""
    backend.changes = getattr(backend, "changes", 0) + 1
