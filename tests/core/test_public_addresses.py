"""Which addresses count as the public internet: a table of our own, the same on every Python."""

import ipaddress

import pytest

from apps.core.public_addresses import NOT_PUBLIC, is_public

# One address of each block of the IANA special-purpose registries, and of what leads inside from
# elsewhere. Written out here, not taken from the table: a line lost there is a red line here.
INSIDE = [
    # --- IPv4 ---
    *("0.0.0.0", "0.1.2.3"),  # this network
    *("10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1"),  # private
    *("100.64.0.1", "100.100.100.200", "100.127.255.255"),  # shared; a cloud's metadata
    *("127.0.0.1", "127.255.255.254"),  # loopback
    *("169.254.1.1", "169.254.169.254"),  # link-local; the clouds' metadata
    *("192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.192"),
    *("192.0.2.1", "198.51.100.7", "203.0.113.200"),  # documentation
    *("192.88.99.1",),  # 6to4 relays
    *("198.18.0.1", "198.19.255.255"),  # benchmarks
    *("224.0.0.1", "239.255.255.250"),  # multicast
    *("240.0.0.1", "255.255.255.255"),  # reserved, broadcast
    *("168.63.129.16",),  # the inner address of a cloud, in a public block
    # --- IPv6 ---
    *("::", "::1"),
    *("::127.0.0.1", "::10.0.0.1", "::8.8.8.8"),  # IPv4-compatible, deprecated
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),  # IPv4-mapped
    *("::ffff:0:127.0.0.1",),  # IPv4-translated
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe"),  # NAT64
    *("64:ff9b:1::1", "64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff::1"),  # NAT64 of a site
    *("100::1", "100:0:0:1::1"),  # discard, dummy
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),  # Teredo
    *("2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1"),
    *("2001:30::1", "2001:1ff::1"),
    *("2001:db8::1", "3fff::1", "3fff:fff::1"),  # documentation
    *("2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1"),  # 6to4
    *("3ffe::1",),  # 6bone
    *("5f00::1",),  # segment routing
    *("fc00::1", "fd00::1", "fd00:ec2::254"),  # unique local; a cloud's metadata
    *("fe80::1", "febf::1"),  # link-local
    *("fec0::1", "feff::1"),  # site-local, deprecated
    *("ff02::1", "ff0e::1"),  # multicast
    *("4000::1", "8000::1", "e000::1", "1000::1"),  # not handed out
    *("2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:127.0.0.1"),  # ISATAP
    *("fe80::1%eth0", "::1%1"),
]

OUTSIDE = [
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "9.255.255.255", "11.0.0.1", "100.63.255.255"),
    *("100.128.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255", "172.15.255.255"),
    *("172.32.0.1", "192.0.1.1", "192.88.98.1", "192.167.255.255", "192.169.0.1", "198.17.0.1"),
    *("198.20.0.1", "223.255.255.255", "168.63.129.15"),
    *("2001:200::1", "2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450:4001::1"),
    *("2400:cb00::1", "3ffd:ffff::1", "2a00:1450::5efe:8.8.8.8"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),  # IPv4 in another dress, as resolvers hand it out
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_inner_or_special_address_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "1.1.1.1.", "::g", "é"]
)
def test_what_is_no_plain_address_is_not_public(text):
    """The resolver returns normal spellings only; an odd one here is an attack."""
    assert not is_public(text)


@pytest.mark.parametrize("block", NOT_PUBLIC, ids=str)
def test_each_block_is_refused_from_its_first_address_to_its_last(block):
    network = ipaddress.ip_network(block)

    assert not is_public(str(network[0]))
    assert not is_public(str(network[-1]))
