"""Filters and pages, as EC2 has them in every Describe operation."""

import base64
import binascii
import functools
import re

from .aws_errors import AwsError


@functools.lru_cache(maxsize=None)
def pattern(value):
    """EC2's wildcards: * and ?, a backslash before one takes it as it is."""
    parts = re.findall(r"\\[*?\\]|.", value, re.DOTALL)
    translated = (
        {"*": ".*", "?": "."}.get(part)
        or re.escape(part[1:] if part in (r"\*", r"\?", r"\\") else part)
        for part in parts
    )
    return re.compile("".join(translated), re.DOTALL)


def matches(filters, attributes, tags):
    """Whether a resource passes: all filters, any of each filter's values.

    attributes: filter name → value or list of values. Raises AwsError for a
    filter that is in neither.
    """
    for name, values in filters.items():
        if name.startswith("tag:"):
            key = name[len("tag:") :]
            present = [tags[key]] if key in tags else []
        elif name == "tag-key":
            present = list(tags)
        elif name in attributes:
            present = attributes[name]
            present = present if isinstance(present, list) else [present]
        else:
            raise AwsError(
                "InvalidParameterValue", f"The filter '{name}' is invalid"
            )
        patterns = [pattern(value) for value in values]
        if not any(
            p.fullmatch(str(one)) for one in present if one is not None for p in patterns
        ):
            return False
    return True


def page(items, max_results, next_token, most, least=5):
    """The items of this page and the token of the next, None after the last."""
    if max_results is not None and not least <= max_results <= most:
        bound = f"greater than {least}" if max_results < least else f"less than {most}"
        raise AwsError(
            "InvalidParameterValue",
            f"Value ( {max_results} ) for parameter maxResults is invalid. Expecting a "
            f"value {bound}.",
        )
    start = _offset(next_token) if next_token else 0
    end = len(items) if max_results is None else start + max_results
    following = _token(end) if end < len(items) else None
    return items[start:end], following


def _token(offset):
    return base64.urlsafe_b64encode(f"sandbox:{offset}".encode()).decode()


def _offset(token):
    try:
        marker, _, offset = base64.urlsafe_b64decode(token).decode().partition(":")
        if marker == "sandbox":
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise AwsError("InvalidNextToken", "The token is invalid.")
