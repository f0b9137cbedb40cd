"""moto's parser, serializer and XML writer: the same results, without working out
the same things for every field of every request.

The benchmark has the server's time on both sides, and a start is half of it.
"""

import functools
import json
from bisect import bisect_left
from xml.sax.saxutils import escape, quoteattr

import botocore.utils as botocore
import moto.core.responses as responses
import moto.kms.models as kms
import xmltodict
from moto.core import parse, serialize

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'


def speed_up():
    responses.method_names_from_class = functools.lru_cache(maxsize=None)(
        responses.method_names_from_class
    )
    xmltodict._validate_name = functools.lru_cache(maxsize=None)(
        xmltodict._validate_name
    )
    # Each account's disks are encrypted with a key of its own, for which moto makes
    # an RSA key, too, that nothing uses: the same one will do. (Where moto calls it:
    # the module has a name of its own for it.)
    kms.generate_private_key = functools.lru_cache(maxsize=None)(
        kms.generate_private_key
    )
    # All machines of a launch have one time, which moto and the observer's boto3 parse
    # for each of them and of their disks.
    botocore._parse_timestamp_with_tzinfo = functools.lru_cache(maxsize=4096)(
        botocore._parse_timestamp_with_tzinfo
    )
    _speed_up_types()
    _speed_up_images()
    _speed_up_parser()
    _speed_up_serializer()
    xmltodict.unparse = xml_writer(xmltodict.unparse)


def _speed_up_types():
    """moto looks at each of some 900 types for each filter of each request. They are
    the same for all accounts, and nothing changes them."""
    # Only now, as `moto_library` imports it in a way of its own.
    from moto.ec2.models import instance_types as types

    slow = types.InstanceTypeBackend.describe_instance_types
    known = {}

    def describe_instance_types(self, instance_types=None, filters=None):
        asked = json.dumps([instance_types, filters], sort_keys=True)
        if asked not in known:
            known[asked] = slow(self, instance_types, filters)
        return known[asked]

    types.InstanceTypeBackend.describe_instance_types = describe_instance_types


def _speed_up_images():
    """moto compares each image with a pattern, for each machine that it makes."""
    # Only now, as `moto_library` imports it in a way of its own.
    from moto.ec2.models import amis

    slow = amis.AmiBackend.describe_images

    def describe_images(self, ami_ids=None, filters=None, exec_users=None, owners=None):
        one = filters.get("image-id") if filters and len(filters) == 1 else None
        if isinstance(one, str) and one in self.amis and not (ami_ids or exec_users or owners):
            return [self.amis[one]]
        return slow(self, ami_ids, filters, exec_users, owners)

    amis.AmiBackend.describe_images = describe_images


# --- Parser ---------------------------------------------------------------------


class _Form(dict):
    """A form's fields; knows at once whether one begins with a prefix."""

    def __init__(self, fields):
        super().__init__(fields)
        self._names = sorted(self)

    def has_prefix(self, prefix):
        at = bisect_left(self._names, prefix)
        return at < len(self._names) and self._names[at].startswith(prefix)


def _speed_up_parser():
    """moto looks through all fields of a form for each structure that may be in it."""

    def _do_parse(self, request_dict, shape):
        parsed = self._parse_shape(shape, _Form(request_dict["values"].items()))
        return parsed if parsed is not parse.UNDEFINED else {}

    def _gonna_recurse(self, query_params, prefix):
        return prefix != "" and not query_params.has_prefix(prefix)

    parse.QueryParser._do_parse = _do_parse
    parse.QueryParser._gonna_recurse = _gonna_recurse


# --- Serializer -----------------------------------------------------------------


class Written(str):
    """What is between the tags of an element, as XML already."""


def _speed_up_serializer():
    """moto works out anew for each field of each structure where its value may be and
    how it is written, and writes a machine anew for each answer that it is in."""
    # Only now, as `moto_library` imports it in a way of its own.
    from moto.ec2.models import instances

    slow = serialize.ResponseSerializer._serialize_type_structure

    def _serialize_type_structure(self, serialized, value, shape, key):
        if value is None:
            return
        if type(value) is instances.Instance and shape.name == "Instance":
            self._default_serialize(serialized, _written(self, value, shape), shape, key)
            return
        wrapper = {} if key else serialized
        _serialize_members(self, wrapper, value, shape)
        if key:
            self._default_serialize(serialized, wrapper, shape, key)

    def choose(self, serialized, value, shape, key):
        quick = type(self._value_picker) is serialize.XFormedAttributePicker
        (_serialize_type_structure if quick else slow)(self, serialized, value, shape, key)

    for serializer in (serialize.EC2Serializer, serialize.QuerySerializer):
        serializer._serialize_type_structure = choose


def _serialize_members(serializer, wrapper, value, shape):
    kind, path = type(value), serializer.path
    transformers = serializer._value_picker.response_transformers
    # By the identity of a response class's transformers, which stay as long as it does.
    plan_of = (kind, type(serializer), id(transformers))
    plans = shape.__dict__.setdefault("_plans", {})
    if plan_of not in plans:
        plans[plan_of] = _plan(serializer, value, shape)
    for key, member, names, get, transforms, write in plans[plan_of]:
        found = None
        for name in names:
            picked = get(value, name, serialize.MISSING)
            if picked is not serialize.MISSING:
                found = picked
                break
        for ending, transform in transforms:
            if f"{'.'.join(path)}.{key}".endswith(ending):
                found = transform(found)
                break
        if found is not None:
            path.append(key)
            write(serializer, wrapper, found, member, key)
            path.pop()


def _plan(serializer, value, shape):
    """Of each field of the structure, for values of this type: its name and shape,
    the names under which a value may have it, what picks it, the transformers whose
    path may be its, and what writes it."""
    kind, picker, plan = type(value), serializer._value_picker, []
    for key, member in shape.members.items():
        member.parent = shape
        context = serialize.AttributePickerContext(value, key, member)
        names = tuple(dict.fromkeys(picker.get_possible_keys(context)))
        transforms = [
            (ending, transform)
            for ending, transform in picker.response_transformers.items()
            if key.endswith(ending.rpartition(".")[2])
        ]
        write = getattr(
            type(serializer),
            f"_serialize_type_{member.type_name}",
            type(serializer)._default_serialize,
        )
        plan.append((key, member, names, _getter(kind, names), transforms, write))
    return plan


def _getter(kind, names):
    """The quickest that does what moto's `get_value` does for values of this type."""
    if any("." in name for name in names):
        return serialize.get_value
    if kind is dict:
        return dict.get
    return serialize.get_value if hasattr(kind, "__getitem__") else getattr


# --- Machines that are in several answers -----------------------------------------


def _written(serializer, instance, shape):
    """A machine, written once for each kind of answer until it changes."""
    changes = getattr(instance.ec2_backend, "changes", 0)
    if instance.__dict__.get("_written_at") != changes:
        instance._written_at, instance._written = changes, {}
    answer = ".".join(serializer.path)
    if answer not in instance._written:
        members, pieces = {}, []
        _serialize_members(serializer, members, instance, shape)
        for name, value in members.items():
            if value != []:
                _write(pieces, name, value, short=True)
        instance._written[answer] = Written("".join(pieces))
    return instance._written[answer]


def has_changed(instance):
    """To be called whenever a machine has."""
    instance._written_at = None


def have_changed(backend):
    """To be called whenever some machines have, nobody knows which."""
    backend.changes = getattr(backend, "changes", 0) + 1


# --- XML ------------------------------------------------------------------------


def xml_writer(slow):
    """xmltodict's unparse; `slow` where more is asked for than moto does for EC2,
    STS and IAM."""

    def unparse(document, full_document=True, pretty=False, short_empty_elements=False, **more):
        ((name, root),) = document.items() if len(document) == 1 else (("", None),)
        if more or pretty or not full_document or not isinstance(root, dict):
            return slow(
                document,
                full_document=full_document,
                pretty=pretty,
                short_empty_elements=short_empty_elements,
                **more,
            )
        pieces = [_DECLARATION]
        _write(pieces, name, root, short_empty_elements)
        return "".join(pieces)

    return unparse


def _write(pieces, name, value, short):
    xmltodict._validate_name(name, "element")
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        value = (value,)
    for one in value:
        if isinstance(one, dict):
            _write_structure(pieces, name, one, short)
            continue
        if type(one) is Written:
            pieces.append(f"<{name}>{one}</{name}>")
            continue
        text = "" if one is None else xmltodict._convert_value_to_string(one)
        if text or not short:
            pieces.append(f"<{name}>{escape(text)}</{name}>")
        else:
            pieces.append(f"<{name}/>")


def _write_structure(pieces, name, structure, short):
    start, text, children = f"<{name}", "", []
    for key, value in structure.items():
        if key == "#text":
            text = xmltodict._convert_value_to_string("" if value is None else value)
        elif key.startswith("@"):
            xmltodict._validate_name(key[1:], "attribute")
            value = "" if value is None else xmltodict._convert_value_to_string(value)
            start += f" {key[1:]}={quoteattr(value)}"
        elif value != []:
            children.append((key, value))
    if short and not text and not children:
        pieces.append(f"{start}/>")
        return
    pieces.append(f"{start}>")
    for key, value in children:
        _write(pieces, key, value, short)
    pieces.append(f"{escape(text)}</{name}>")
