"""What the API takes and answers, each declared once: one module a domain.

A request body is a pydantic model (`Body`). `reading.read_body` validates with it and turns what
pydantic says into the API's `errors: [{field, code, message}]`. An answer is a TypedDict: the view
builds it as a plain dict, mypy checks the dict against the declaration, and orjson writes it
without a conversion. `json_schema` makes the OpenAPI schema of both. ADR 39 has the measurements
behind the two forms.

    fields      the kinds of fields that bodies are made of
    formats     what answers are made of beside JSON's own types
    reading     validation: from a JSON object to a body, or to a Problem 400
    json_schema OpenAPI 3.0 schemas out of the declarations
    money, address, product, cart, checkout, order, customer, waiting_room, problem
                the declarations
"""
