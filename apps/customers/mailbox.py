"""The mailbox behind an e-mail address: one mailbox counts as one customer.

Many spellings reach one mailbox: `alice+sale@example.com` is alice's, and Gmail ignores dots and
also accepts googlemail.com. A limit "per customer" is a limit per mailbox. Mail itself always goes
to the address as it was typed.
"""

from apps.core import clean_text

LENGTH_MAX = 254
GMAIL = frozenset({"gmail.com", "googlemail.com"})


def mailbox_of(email: str) -> str:
    """The mailbox behind `email`, for comparing and counting; at most 254 characters.

    Ignores capitals, invisible characters, what follows a plus sign, and the quotes of a quoted
    name. A domain with characters beyond ASCII equals its `xn--` form. Text that is no address is
    returned in lower case.
    """
    # Also NFKC: a full-width letter equals the ASCII one.
    address = clean_text.email(email).lower()
    local, at, domain = address.rpartition("@")
    if not at:
        return domain[:LENGTH_MAX]
    domain = _ascii(domain.rstrip("."))
    if len(local) > 2 and local[0] == local[-1] == '"':
        local = local[1:-1].replace("\\", "")
    name = local.partition("+")[0] or local  # a name that is only "+…" is kept
    if domain in GMAIL:
        name, domain = name.replace(".", "") or name, "gmail.com"
    return f"{name}@{domain}"[:LENGTH_MAX]


def _ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
