"""Lets schemathesis send JSON lines, which it does not know by itself: whatever text it makes up, as it is."""

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def json_lines(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
