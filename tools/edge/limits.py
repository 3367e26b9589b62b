"""The edge's limits of sizes and times, and why each is what it is (see also docs/edge.md)."""

# A head arrives in one or two packets; a phone with a bad connection gets some seconds.
HEADER_SECONDS = 10
# The whole request, its body included. The largest that a shopper sends is a form of a few
# kilobytes. A connection that has not sent it by then is closed, even if bytes still arrive.
# (Caddy's idle time limits stay off: in 2.11.7 the rest of a late body is then waited for without a
# limit.)
REQUEST_SECONDS = 20
# A picture for the back office may take longer, as long as it arrives at this rate.
OFFICE_IDLE_SECONDS = 10
OFFICE_BYTES_PER_SECOND = 16 * 1024
# An answer, the wait for it included. The longest is an export of orders.
ANSWER_SECONDS = 120
KEEP_ALIVE_SECONDS = 60
# A websocket's longest duration; the page connects again and misses nothing (`after_seq`).
SOCKET_SECONDS = 3600
HEADER_BYTES = 16 * 1024
# A body is held in memory until it is complete. The API takes 64 KiB, a webhook of Stripe's has
# less than 256.
BODY_BYTES = 512 * 1024
# The beginning of a larger body of the back office; the rest is streamed, for signed-in staff.
OFFICE_BUFFER_BYTES = 1024 * 1024
OFFICE_BODY_BYTES = 20_000_000
# While a web process is restarted: other processes answer, or the request waits so long.
RETRY_SECONDS = 5
COMPRESS_FROM_BYTES = 512
