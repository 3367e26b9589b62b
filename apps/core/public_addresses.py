"""Which IP addresses are on the public internet, for requests to addresses that strangers entered.

A table of our own, from the IANA registries of special-purpose addresses
(https://www.iana.org/assignments/iana-ipv4-special-registry/ and …/iana-ipv6-special-registry/).
Python's `ipaddress.is_global` does not suffice: its answer depends on the version (an old one says
that `fec0::/10`, `64:ff9b:1::/48` and `192.88.99.0/24` are public), and it ignores the IPv4 address
inside an IPv6 one.

For IPv4 the table lists what is not public. For IPv6, most of which is unassigned, only 2000::/3 is
public, less the special blocks in it, and two forms in which resolvers return IPv4 addresses.
"""

import ipaddress

IPv4 = ipaddress.IPv4Address
IPv6 = ipaddress.IPv6Address

NOT_PUBLIC = (
    # --- IPv4 ---
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared by the customers of a provider
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # a public address that one cloud (Azure) uses inside, for its metadata
    "169.254.0.0/16",  # link-local; where clouds keep machines' credentials
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # relays for 6to4, deprecated
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarks of devices
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved; the last one is the broadcast
    # --- IPv6, of 2000::/3 ---
    "2001::/23",  # protocol assignments: Teredo (which holds an IPv4 address), benchmarks, ORCHID …
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4, which holds an IPv4 address; deprecated
    "3ffe::/16",  # 6bone, returned
    "3fff::/20",  # documentation
)
_V4 = tuple(ipaddress.IPv4Network(block) for block in NOT_PUBLIC if ":" not in block)
_V6 = tuple(ipaddress.IPv6Network(block) for block in NOT_PUBLIC if ":" in block)
_ASSIGNED = ipaddress.IPv6Network("2000::/3")
# Behind a NAT64 gateway the resolver returns every IPv4 address in this block (RFC 6052). The
# prefix for use inside a site, 64:ff9b:1::/48, is not part of it.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)  # before the IPv4 address in the last half (RFC 5214)


def is_public(text: str) -> bool:
    """Whether `text` is an IP address in its normal spelling that may be connected to."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return _is_public_v4(address) if isinstance(address, IPv4) else _is_public_v6(address)


def _is_public_v4(address: IPv4) -> bool:
    return not any(address in block for block in _V4)


def _is_public_v6(address: IPv6) -> bool:
    if address.scope_id is not None:
        return False  # valid on one network interface only
    if address.ipv4_mapped is not None:
        return _is_public_v4(address.ipv4_mapped)
    inside = IPv4(int(address) & 0xFFFF_FFFF)
    if address in _NAT64:
        return _is_public_v4(inside)
    if address not in _ASSIGNED or any(address in block for block in _V6):
        return False
    is_isatap = (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP
    return not is_isatap or _is_public_v4(inside)
