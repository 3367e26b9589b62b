"""`make quick`: lint, types and the tests of the rooms that a change touches, in under 90 s.

changes.py    which files differ from the branch that the work began on
rooms.py      which test files stand for them, and how long those take
deadline.py   a pytest plugin that skips what would come too late
__main__.py   runs ruff, mypy and pytest, and says what was left to `make test`
"""
