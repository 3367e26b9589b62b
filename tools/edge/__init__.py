"""The edge: the one public port of the shop, in front of web and live (docs/edge.md, ADR 29).

Caddy, a maintained server out of a Python wheel. It reads a complete request, within a time limit,
before a process of the shop receives it: a client that sends its body byte by byte holds a few
kilobytes here and no thread of the shop. It terminates TLS, passes websockets on, compresses, and
serves static files and pictures.

    config.py       its configuration, made from the shop's settings (parameters.py)
    routes.py       what is passed on where; answers.py: what the edge answers itself
    limits.py       the limits of sizes and times
    __main__.py     writes that configuration and becomes Caddy
"""
