"""Figures for Prometheus, one registry a server: nothing global, so two servers in one process do not add up.

    metrics = ServerMetrics()
    metrics.frames.labels("answered").inc()
    metrics.text()                                     # what GET /metrics answers

Names and units follow Prometheus' conventions (seconds, _total). No label carries an address, a session or a face.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)


class ServerMetrics:
    """Counters, gauges and histograms of one server."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter("mien_requests", "HTTP requests by status", ["status"], registry=registry)
        self.refused = Counter("mien_refused", "Refused by reason", ["reason"], registry=registry)
        self.frames = Counter(
            "mien_frames",
            "Live frames: answered; replaced by a newer one while one was answered; paced: replaced under load; bad",
            ["outcome"],
            registry=registry,
        )
        self.faces = Counter("mien_faces", "Faces classified", registry=registry)
        self.frame_seconds = Histogram(
            "mien_frame_seconds", "From a live frame's arrival to its result", registry=registry, buckets=SECONDS
        )
        self.batch_faces = Histogram(
            "mien_batch_faces", "Faces classified together", registry=registry, buckets=(1, 2, 4, 8, 16, 32, 64)
        )
        self.decode_seconds = Histogram(
            "mien_decode_seconds", "Decoding of one image", ["kind"], registry=registry, buckets=SECONDS
        )
        self.search_seconds = Histogram(
            "mien_search_seconds", "Search for faces in one image", ["kind"], registry=registry, buckets=SECONDS
        )
        self.classify_seconds = Histogram(
            "mien_classify_seconds", "One run of the network", registry=registry, buckets=SECONDS
        )
        self.queue_age = Gauge("mien_queue_age_seconds", "Age of the oldest image in work", ["kind"], registry=registry)
        self.photos_waiting = Gauge("mien_photos_waiting", "Photos waiting or in work now", registry=registry)
        self.rate = Gauge("mien_rate_fps", "Frames a second that each live client is told to send", registry=registry)
        self.sockets = Gauge("mien_open_sockets", "Open connections now", registry=registry)
        self.closed = Gauge("mien_closed_sockets", "Connections cut off, by reason", ["reason"], registry=registry)
        self.live_clients = Gauge("mien_live_clients", "Live clients now", registry=registry)
        self.waiting = Gauge("mien_waiting", "Images waiting for or in a detector now", registry=registry)
        self.drift_appearances = Gauge(
            "mien_drift_appearances", "Appearances of people in the last seven days", registry=registry
        )
        self.drift_distance = Gauge(
            "mien_drift_distance",
            "Total variation of the last seven days from the card's reference, 0..1",
            ["measure"],
            registry=registry,
        )
        self.store_errors = Counter("mien_store_errors", "Failed writes to the store", registry=registry)

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        return generate_latest(self._registry)
