"""Who signed a request, by AWS's recipe (Signature Version 4 for API requests)."""

import hashlib
import hmac
import re

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/([^/]+)/([^/]+)/aws4_request), ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)


def signed_for(role, path, headers, body):
    """The service and the region of a POST that this role signed, or None. `role` is
    what the metadata tell of it."""
    found = _AUTHORIZATION.fullmatch(headers["Authorization"] or "")
    if not found or headers["X-Amz-Security-Token"] != role["Token"]:
        return None
    key_id, scope, region, service, names, signature = found.groups()
    if key_id != role["AccessKeyId"]:
        return None
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names.split(";"))
    digest = hashlib.sha256(body).hexdigest()
    request = f"POST\n{path}\n\n{lines}\n{names}\n{digest}"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['X-Amz-Date']}\n{scope}\n{hashed}"
    key = ("AWS4" + role["SecretAccessKey"]).encode()
    for word in (*scope.split("/"), text):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return (service, region) if key.hex() == signature else None
