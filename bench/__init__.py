"""How fast the shop is, on this machine, in one command: `make bench`.

Each scenario starts the real processes, puts load on them from wrk (a compiled program, so that the
measuring costs little of what is measured), repeats, and answers with figures; report.py draws
them. Nothing here is imported by the shop.

    python -m bench                             everything, most of an hour
    python -m bench --only accept,browse        some of it
    python -m bench --quick                     whether it works, not how fast
"""
