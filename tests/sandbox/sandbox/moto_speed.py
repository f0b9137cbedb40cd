"""moto's parser, serializer and XML writer: the same results, without working out
the same things for every field of every request.

The benchmark has the server's time on both sides, and a start is half of it.
"""

import functools
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
    _speed_up_parser()
    _speed_up_serializer()
    xmltodict.unparse = xml_writer(xmltodict.unparse)


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


def _speed_up_serializer():
    """moto asks six classes for each field's possible names, and compares its path
    with every transformer's."""
    slow = serialize.ResponseSerializer.get_value

    def get_value(self, value, key, shape):
        picker = self._value_picker
        if type(picker) is not serialize.XFormedAttributePicker:
            return slow(self, value, key, shape)
        kind = type(value)
        # A member's shape is of one structure, so its parent need not be asked.
        known = shape.__dict__.setdefault("_names_by_type", {})
        if kind not in known:
            context = serialize.AttributePickerContext(value, key, shape)
            names = tuple(dict.fromkeys(picker.get_possible_keys(context)))
            known[kind] = names, _getter(kind, names)
        names, get = known[kind]
        found = None
        for name in names:
            picked = get(value, name, serialize.MISSING)
            if picked is not serialize.MISSING:
                found = picked
                break
        for ending, transform in _transformers(picker, key):
            if f"{'.'.join(self.path)}.{key}".endswith(ending):
                return transform(found)
        return found

    serialize.ResponseSerializer.get_value = get_value


def _getter(kind, names):
    """The quickest that does what moto's `get_value` does for values of this type."""
    if any("." in name for name in names):
        return serialize.get_value
    if kind is dict:
        return dict.get
    return serialize.get_value if hasattr(kind, "__getitem__") else getattr


# By the identity of a response class's transformers, which stay as long as it does.
_transformers_by_key = {}


def _transformers(picker, key):
    """(end of a path, transformer) of those whose path's last name can be the key."""
    transformers = picker.response_transformers
    if not transformers:
        return ()
    _, by_key = _transformers_by_key.setdefault(id(transformers), (transformers, {}))
    if key not in by_key:
        by_key[key] = [
            (ending, transform)
            for ending, transform in transformers.items()
            if key.endswith(ending.rpartition(".")[2])
        ]
    return by_key[key]


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
