"""The reconciler: compares the gateway's books with ours, and settles what no webhook reported.

    schedule.py        when and how far: the recent past each minute, everything each day
    pages.py           the phases of a comparison, one page at a time
    inspection.py      one payment read on both sides; new facts are settled
    comparing.py       the differences; calls no gateway, writes nothing
    two_sides.py       what is compared: the gateway's payment and our books
    our_books.py       our side, as it is now
    refund_sums.py     the refunds of a payment on both sides
    findings.py        a difference in words, with its evidence
    discrepancies.py   the rows of differences: opened, closed, decided on by staff
    left_as_is.py      whether what staff decided on is still as they saw it
    stray_payments.py  money without an order is returned, once, under a key from the row
    failure_limit.py   how many failures in a row end a run

What it promises:

* Books only move forward, through the same `ledger.settle` and `refunds.settle` as webhooks.
* Payments of others are not touched: only one that we know, or that carries our mark and is younger
  than our books. One that is being made at the moment is left alone (two_sides.GRACE).
* Nothing is returned without a row written before, and not without a second look.
* It may die anywhere, run twice or be repeated: what it did is not done again.
* What it cannot decide waits for staff as a Discrepancy.
"""
