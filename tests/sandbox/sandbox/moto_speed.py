"""moto's parser and XML writer, and some of its backends: the same results, without
working out the same things for every field of every request.

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
from moto.core import parse

from .moto_answers import DECLARATION, write_answers


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
    _speed_up_ids()
    _speed_up_parser()
    write_answers()
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


def _speed_up_ids():
    """moto draws each digit by itself, of seven ids for each machine."""
    from moto.ec2 import utils

    def random_resource_id(size=8):
        return f"{utils.random.getrandbits(4 * size):0{size}x}"

    utils.random_resource_id = random_resource_id


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


# --- XML ------------------------------------------------------------------------


def xml_writer(slow):
    """xmltodict's unparse; `slow` where more is asked for than moto does for STS, IAM
    and EC2's errors."""

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
        pieces = [DECLARATION]
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
