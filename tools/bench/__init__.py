"""How fast the shop is, on this machine, in one command: `make bench`.

Each scenario starts the real processes, puts load on them from wrk (a compiled program, so that the
measurement takes little of what is measured), repeats, and returns figures; report.py draws them.
The shop imports nothing of this.

    python -m tools.bench                             everything, most of an hour
    python -m tools.bench --only accept,browse        some of it
    python -m tools.bench --quick                     whether it works, not how fast
"""
