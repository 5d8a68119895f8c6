"""HTTP, WebSocket and the live page: photos and camera frames in, emotions and mood out.

    mien serve                                         # http://127.0.0.1:8000, for this machine alone
    app = create_app(ServerSettings(db=None))          # mien.serve.asgi, for your own ASGI server

In the order of the data: decode.py and limits.py refuse what is too large before it is decoded, guard.py whom it does
not know, engine.py finds and classifies the faces of all clients together (batching.py), live.py follows them over
time, journal.py keeps per-second figures in the store of ``mien.mood``, routes_*.py speak HTTP and WebSocket, page/ is
the browser's side. Images are never written, logged or kept.

Needs the extra ``serve``; importing this module does not.
"""
