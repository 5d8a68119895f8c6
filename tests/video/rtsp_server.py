"""An RTSP server of GStreamer's, for test_rtsp.py. Run by the system's Python, which has its bindings:

    /usr/bin/python3 rtsp_server.py PORT [--password PASSWORD] [--certificate FILE]

/test is motion JPEG, 160 x 120 at 10 frames a second, plain white. FILE is PEM with a certificate and its key. Prints
"ready" once it listens.
"""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURE = (
    "( videotestsrc is-live=true pattern=white ! video/x-raw,format=I420,width=160,height=120,"
    "framerate=10/1 ! jpegenc ! rtpjpegpay name=pay0 pt=26 )"
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--password")
    parser.add_argument("--certificate")
    options = parser.parse_args()
    Gst.init(None)
    for element in ("jpegenc", "rtpjpegpay", "videotestsrc"):
        if Gst.ElementFactory.find(element) is None:
            sys.exit(f"no {element}")
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PICTURE)
    factory.set_shared(True)
    if options.password or options.certificate:
        auth = GstRtspServer.RTSPAuth()
        if options.certificate:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
        if options.password:
            token = GstRtspServer.RTSPToken()
            token.set_string("media.factory.role", "viewer")
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest("anna", options.password, token)
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_role("viewer")
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        else:
            token = GstRtspServer.RTSPToken()
            token.set_string("media.factory.role", "anybody")
            auth.set_default_token(token)
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_role("anybody")
            permissions.add_permission_for_role("anybody", "media.factory.access", True)
            permissions.add_permission_for_role("anybody", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.set_auth(auth)
    server.get_mount_points().add_factory("/test", factory)
    if server.attach(None) == 0:
        sys.exit("cannot listen")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
