"""What every page of the back office (Django's admin) is made of. Imports no domain app.

sign_in/           how staff sign in, their second factor, and how long access lasts
review_cases/      everything that waits for a person, and the page of a decision about it
actions.py         a staff action on a record: confirmed on a page, done once, recorded
models.py          Decision: the append-only log of what staff decided
decision_log.py    writes and reads that log
admin.py           the log's own pages, and the URLs of the review cases
read_only.py       records that staff look at and never edit
old_and_new.py     the history of a record: each field's old and new value
erasure.py         takes an erased buyer out of the logs
csv_export.py      lists as files in which no spreadsheet executes a cell
formatting.py      labels, amounts, links
order_links.py     from an order's id to its page and number
day_filter.py      list filter: from one day to another
nul_bytes.py       lists whose URL contains a NUL byte
checks.py          system checks of admin actions that need no database
templatetags/      amounts, states and names in templates
"""
