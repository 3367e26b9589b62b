"""What every page of the back office (Django's admin) is made of. Knows no app.

deeds.py         a person's action on a record: asked on a page, done once, written down
read_only.py     records that are looked at and never typed over
csv_export.py    lists as files, with cells that no spreadsheet executes
looks.py         labels, amounts, links
addresses.py     what may stand in a list's address
day_filter.py    from which day to which day
order_links.py   from a bare order id to the order's page
"""
