"""Breaks a running shop on purpose, all the while that people buy from it, and says what came out.

    python -m faults                        every fault of matrix.py, then combinations of them
    python -m faults --only redis-frozen    one of them
    python -m faults --seed 7               the same shoppers and the same combinations again

    matrix.py   the table: what is broken, how it is healed, what must come out
    shop.py     the shop that is broken: real processes, and the levers on them
    proxy.py    stands between its processes and PostgreSQL, Redis and the gateway
    clock.py    lies to a process about the time
    load.py     the shoppers, and what they were told
    watch.py    asks the invariants while all this goes on, and whether it has come to rest
    runner.py   one fault after the other
    report.py   the page about it

docs/faults.md tells how to read it.
"""
