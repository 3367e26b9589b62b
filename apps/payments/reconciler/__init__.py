"""The reconciler: the gateway's books held against ours, and what no webhook told made good.

    runs.py           when and how far: every minute the recent past, every day everything
    looks.py          one payment looked at closely, on both sides; what was learnt is settled
    comparing.py      what does not fit, in words; asks nobody, writes nothing
    discrepancies.py  the rows of what does not fit: opened, closed when it fits again, decided on
    returns.py        money without an order goes back, once, under a key from the row

What it promises:

* Books only move forward, through the same `ledger.settle` and `refunds.settle` as webhooks.
* Nobody else's payment is touched: one that we know, or that carries our mark and is younger than
  our books. One that is being made right now is left alone (comparing.GRACE).
* Nothing is given back without a row written before, and not without having looked again.
* It may die anywhere, run twice or be repeated: what it did is not done again.
* What it cannot decide waits for a person as a Discrepancy.
"""
