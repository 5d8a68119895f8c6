"""Whether a network camera is who it says: what ffmpeg is told about certificates, and why one was refused.

    options = tls_options("rtsps://192.0.2.1/stream")          # of PyAV's ``open``
    refusal("rtsps://192.0.2.1/stream", open_s=10)             # "self-signed certificate", None where it is trusted

ffmpeg by itself takes any certificate, so whoever sits in between could show another picture. The authorities that are
trusted are the system's; the environment variable SSL_CERT_FILE names another file, such as a camera's own certificate.

Not here: the parts of an HLS stream over HTTPS, which ffmpeg fetches without these options.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

PORTS = {"rtsps": 322, "https": 443, "rtmps": 443}
"""Schemes with TLS, and where they listen unless told otherwise."""


def uses_tls(url: str) -> bool:
    """Whether the address is one that has certificates."""
    return urlsplit(url).scheme.lower() in PORTS


def tls_options(url: str, insecure: bool = False) -> dict[str, str]:
    """Options of ffmpeg for an address; none where it has no TLS.

    Args:
        url: of a stream.
        insecure: take any certificate.
    """
    if not uses_tls(url):
        return {}
    if insecure:
        return {"tls_verify": "0"}
    options = {"tls_verify": "1"}
    authorities = ssl.get_default_verify_paths().cafile
    # On Windows and macOS ffmpeg asks the system itself. On Linux it looks where its builder kept such a file.
    if authorities is not None and (sys.platform == "linux" or "SSL_CERT_FILE" in os.environ):
        options["ca_file"] = authorities
    return options


def refusal(url: str, open_s: float) -> str | None:
    """Why the certificate behind an address is refused; None where it is trusted or nobody answers.

    ffmpeg only tells that the stream could not be opened.
    """
    parts = urlsplit(url)
    try:
        where = (parts.hostname or "", parts.port or PORTS[parts.scheme.lower()])
        with (
            socket.create_connection(where, open_s) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=where[0]),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.rstrip(".")
    except (OSError, ValueError):
        return None
