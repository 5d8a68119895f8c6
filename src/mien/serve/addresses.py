"""Under which addresses other machines reach this one, found without asking the network or a name server.

machine_addresses()                            # ("192.168.1.7", "10.0.0.2")
page_urls("0.0.0.0", 8000, "https")            # ("https://192.168.1.7:8000/", …)
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys

_SIOCGIFADDR = {"linux": 0x8915, "darwin": 0xC0206921}


def machine_addresses() -> tuple[str, ...]:
    """IPv4 addresses of this machine's interfaces without loopback; private ones first, since phones are near."""
    found: set[str] = set()
    if sys.platform in _SIOCGIFADDR:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            for _, name in socket.if_nameindex():
                request = struct.pack("256s", name.encode()[:15])
                with contextlib.suppress(OSError):  # an interface without an address
                    found.add(socket.inet_ntoa(fcntl.ioctl(asking, _SIOCGIFADDR[sys.platform], request)[20:24]))
    else:  # Windows answers from its own tables
        with contextlib.suppress(OSError):
            found.update(socket.gethostbyname_ex(socket.gethostname())[2])
    usable = [ipaddress.IPv4Address(each) for each in found]
    usable = [each for each in usable if not each.is_loopback]
    return tuple(str(each) for each in sorted(usable, key=lambda each: (not each.is_private, each)))


def page_urls(host: str, port: int, scheme: str) -> tuple[str, ...]:
    """Where the page is: at ``host``, or, where that stands for every interface, at each of the machine's addresses."""
    hosts: tuple[str, ...] = (host,)
    if host in ("0.0.0.0", "::", ""):
        hosts = (*machine_addresses(), "127.0.0.1")
    return tuple(f"{scheme}://[{each}]:{port}/" if ":" in each else f"{scheme}://{each}:{port}/" for each in hosts)
