"""Other shops beside this one, in the same run on the same machine. Never part of the shop.

A peer is served like this shop (Granian, as many web processes, a database of its own on the same
PostgreSQL), with its own defaults otherwise, and a driver buys from it the way a shopper does. It
has a virtual environment of its own, `.peers/`: nothing of it is installed with the shop.
"""
