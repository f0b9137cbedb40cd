"""Answers that are damaged on their way, or lack what they must have."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree
from copy import deepcopy

# By operation: what the answer lists, and the name of the ids in it.
_LISTS = {
    "RunInstances": ("instancesSet", "instanceId"),
    "DescribeInstances": ("reservationSet", "instanceId"),
    "TerminateInstances": ("instancesSet", "instanceId"),
    "DescribeImages": ("imagesSet", "imageId"),
    "DescribeInstanceTypes": ("instanceTypeSet", "instanceType"),
    "DescribeKeyPairs": ("keySet", "keyPairId"),
    "DescribeRegions": ("regionInfo", "regionName"),
    "DescribeSecurityGroups": ("securityGroupInfo", "groupId"),
    "DescribeSubnets": ("subnetSet", "subnetId"),
    "GetCallerIdentity": ("Account", "Account"),
}

KINDS = ("empty_set", "no_set", "cut", "ids_twice", "ids_missing")


def damaged(response, operation, damage, at, until_close):
    """The answer with this damage; as it was where it does not apply.

    empty_set    the list has nothing in it
    no_set       there is no list
    cut          ends after that part of its tags which `at` says, from 0 to below
                 1; JSON is cut by characters. As HTTP has it, it is whole.
    ids_twice    each machine or thing is listed twice
    ids_missing  the last of them has no id
    """
    if damage == "cut":
        body = _cut(response.body, at)
    else:
        body = _changed(response.body, operation, damage)
    return dataclasses.replace(response, body=body, until_close=until_close)


def _cut(body, at):
    is_xml = body.lstrip().startswith(b"<")
    pieces = re.findall(rb"[^>]*>" if is_xml else rb".", body, re.DOTALL)
    return b"".join(pieces[: int(at * len(pieces))])


def _changed(body, operation, damage):
    if operation not in _LISTS or not body.lstrip().startswith(b"<"):
        return body
    list_name, id_name = _LISTS[operation]
    root = ElementTree.fromstring(body)
    namespace = root.tag.partition("}")[0].lstrip("{") if "}" in root.tag else ""
    ElementTree.register_namespace("", namespace)
    of = {child: parent for parent in root.iter() for child in parent}
    found = [e for e in of if _name(e) == list_name]
    if not found:
        return body
    if damage == "no_set":
        of[found[0]].remove(found[0])
    elif damage == "empty_set":
        found[0].clear()
    elif damage == "ids_twice":
        found[0].extend([deepcopy(item) for item in found[0]])
    elif damage == "ids_missing":
        ids = [e for e in of if _name(e) == id_name]
        if ids:
            of[ids[-1]].remove(ids[-1])
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _name(element):
    return element.tag.rpartition("}")[2]
