"""Tells the faces, which the orders do not import, that a person is being erased."""

from django.dispatch import Signal

# `person`: an ErasedPerson. Sent inside the transaction; a receiver that fails undoes all of it.
person_erased = Signal()
