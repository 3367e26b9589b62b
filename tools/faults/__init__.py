"""Breaks a running shop on purpose, under load, and reports the outcome.

    python -m tools.faults                  every fault of matrix/, then combinations
    python -m tools.faults --only redis-frozen    one of them
    python -m tools.faults --seed 7               the same shoppers and the same combinations again

    matrix/        the table: what is broken, how it is healed, what must come out
    runner.py      one fault after the other; result.py and record.py: what was found
    shop.py        the shop that is broken; controls/: the ways to break each part of it
    proxy.py       between its processes and PostgreSQL, Redis and the gateway
    clock.py       a wrong clock for one process
    shoppers.py    the load; purchases.py: who buys what; answer_log.py: what was answered
    watch.py       the invariants during all this, and whether the shop is at rest
    report.py      the page about it

docs/faults.md tells how to read it.
"""
