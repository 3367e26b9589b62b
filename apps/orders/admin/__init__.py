"""The back office's pages about orders.

Orders use all other domain apps, so pages that show several of them together are here, too.

order_pages.py       the order list and an order's page
order_detail.py      what that page shows
order_buttons.py     its buttons
actions/             what the buttons do
attention_filter.py  filter of the order list by what has to be done
order_csv.py         the order list as a CSV file
review_queue.py      orders that wait for a decision
return_list.py       returns
order_rows.py        base of the last two: rows that open the order's page
dashboard.py         the first page of the back office
navigation.py        the side bar
"""

from apps.backoffice import formatting
from apps.orders.admin import order_pages, return_list, review_queue  # noqa: F401  registers them
from apps.orders.status import STATUSES

formatting.add_colours({str(status): row.colour for status, row in STATUSES.items()})
