"""The rate that clients are told under load."""

from __future__ import annotations

import pytest
from serving import LIVE, Serve, picture

from mien.serve.pacing import LEAST_FPS, Pacer


class Simulation:
    """Clients that each send at the told rate to a server that answers ``capacity`` frames a second, one by one."""

    def __init__(self, clients: int, capacity: float, wanted_fps: float = 10.0) -> None:
        self.now = 0.0
        self.pacer = Pacer(30.0, clock=lambda: self.now)
        self.clients, self.service_s, self.wanted_fps = clients, 1 / capacity, wanted_fps
        self.waits: list[float] = []

    def run(self, seconds: float) -> list[float]:
        due = [self.now + index / self.clients / 10 for index in range(self.clients)]
        free_at, first = self.now, len(self.waits)
        end = self.now + seconds
        while self.now < end:
            client = due.index(min(due))
            self.now = max(self.now, due[client])
            start = max(free_at, due[client])
            free_at = start + self.service_s
            waited_s = free_at - due[client]
            self.waits.append(waited_s)
            self.pacer.answered(waited_s, self.clients)
            due[client] = max(self.pacer.next_turn(due[client], free_at), due[client] + 1 / self.wanted_fps)
        return sorted(self.waits[first:])


@pytest.mark.parametrize(("clients", "capacity"), [(8, 16.0), (8, 8.0), (24, 30.0), (2, 40.0), (1, 3.0)])
def test_answers_stay_quick_and_the_server_busy(clients: int, capacity: float) -> None:
    simulation = Simulation(clients, capacity)
    simulation.run(30)
    waits = simulation.run(60)
    assert waits[int(0.95 * len(waits))] < 0.5  # seconds
    possible = min(capacity, clients * 10.0)
    assert len(waits) / 60 > 0.5 * possible  # it is not idle for the sake of quick answers


def test_one_client_gets_the_whole_rate() -> None:
    """Frames take 14 to 18 ms and sending 3 ms: 30 frames a second fit, so 30 are answered."""
    turn_s, frames = 0.0, 0
    pacer = Pacer(30.0, clock=lambda: turn_s)
    while turn_s < 10:
        took_s = 0.014 + 0.002 * (frames % 3)
        pacer.answered(took_s, 1)
        turn_s = pacer.next_turn(turn_s, turn_s + took_s + 0.003)
        frames += 1
    assert frames == pytest.approx(300, abs=1)


def test_the_rate_comes_back_when_the_others_have_left() -> None:
    simulation = Simulation(8, 16.0)
    simulation.run(30)
    assert simulation.pacer.fps < 5
    simulation.clients = 1
    simulation.run(30)
    assert simulation.pacer.fps > 9


def test_nobody_is_slowed_down_for_ever() -> None:
    now = 0.0
    pacer = Pacer(30.0, clock=lambda: now)
    pacer.answered(0.01, 2)
    for _ in range(100):
        now += 1
        pacer.answered(10.0, 2)
    assert pacer.fps == LEAST_FPS
    pacer.reset()
    assert (pacer.fps, pacer.late_s) == (30.0, 0.0)


def test_clients_are_told(serve: Serve) -> None:
    with serve() as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        live.send_bytes(picture(1))
        assert live.receive_json()["rate"] == 30
        client.app.state.mien.hub.pacer.fps = 2.0
        live.send_bytes(picture(1))
        assert live.receive_json()["rate"] == pytest.approx(2.0, rel=0.2)
        assert "mien_rate_fps 2" in client.get("/metrics").text
