"""What the OpenAPI schema says of each call beyond the bodies and answers of apps.api.contract.

One module a group of views: summaries, parameters, headers, examples, and which problems a call
has. Each constant holds the arguments of drf-spectacular's `extend_schema`.
tests/api/test_schema.py holds real answers against the schema, so that neither can change alone.

To add a call: declare its body and its answer in apps.api.contract, describe it here, write the
view and its URL, and let test_schema.py ask it once.
"""
