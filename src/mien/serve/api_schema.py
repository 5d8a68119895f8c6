"""The shapes of requests and answers, for the OpenAPI document; the values themselves come from the rooms' to_dict.

Examples are what the shipped model answered for a portrait.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCORES = {
    "angry": 0.0057, "disgust": 0.0022, "fear": 0.0072, "happy": 0.9594, "sad": 0.0091, "surprise": 0.0044,
    "neutral": 0.012,
}  # fmt: skip

MOST_ID = (1 << 63) - 1
"""SQLite's largest number."""


class FaceOut(BaseModel):
    """One face and what it shows."""

    box_xyxy: tuple[float, float, float, float] = Field(
        description="Left, top, right, bottom in pixels of the upright image.",
        examples=[[180.14, 59.33, 270.39, 176.66]],
    )
    detector_score: float | None = Field(ge=0, le=1, description="The detector's own certainty; null with Haar.")
    emotion: str = Field(description="The most probable emotion.", examples=["happy"])
    confidence: float = Field(ge=0, le=1, description="Its calibrated probability.", examples=[0.9594])
    accepted: bool = Field(description="False where the model abstains.", examples=[True])
    scores: dict[str, float] = Field(description="Probability by emotion.", examples=[SCORES])
    emotions_90: list[str] | None = Field(
        None,
        description="The smallest set that holds the true emotion nine times in ten on faces like those that the "
        "promise of the model was fitted on, the likeliest first; absent where it promises none.",
        examples=[["happy"]],
    )
    track_id: int | None = Field(None, description="The same person over frames; absent for photos.")


class PersonalOut(BaseModel):
    """What the server holds of one visitor's own model."""

    wanted: list[str] = Field(description="Emotions to show.", examples=[["neutral", "happy"]])
    collected: dict[str, int] = Field(description="Faces in memory by emotion.", examples=[{"happy": 4}])
    model: bool = Field(description="Whether a personal model is kept.")


class MomentOut(BaseModel):
    """After one more face."""

    collected: dict[str, int] = Field(description="Faces in memory by emotion.", examples=[{"happy": 4}])
    visitor: str | None = Field(description="A new visitor's secret, told this once.")


class MadeOut(BaseModel):
    """What adapting found, each face judged by a model without its moment."""

    helps: bool = Field(description="Whether the model was kept.")
    faces: int
    before: float = Field(ge=0, le=1, description="Share named right by the server's model.")
    after: float = Field(ge=0, le=1, description="Share named right by the personal one.")


class ResultOut(BaseModel):
    """All faces of one image, largest first."""

    source: str = Field(examples=["upload"])
    width: int = Field(ge=1, examples=[512])
    height: int = Field(ge=1, examples=[512])
    faces: list[FaceOut]


class BatchItemOut(BaseModel):
    """One image of a batch: a result or an error."""

    source: str = Field(examples=["one.jpg"])
    result: ResultOut | None = None
    error: str | None = Field(None, examples=["is not an image, or is damaged from its first bytes on"])


class BatchOut(BaseModel):
    """One item an image, in the order they were sent."""

    results: list[BatchItemOut]


class SessionOut(BaseModel):
    """A session in the store."""

    id: int = Field(examples=[7])
    source: str = Field(examples=["browser"])
    started: str = Field(description="ISO 8601, UTC.", examples=["2026-11-21T09:30:00+00:00"])
    ended: str | None = Field(description="Null while it runs, and where its process died.")
    recorded_until: str | None
    person_s: int = Field(ge=0, description="Recorded seconds, added up over people.", examples=[412])
    people: int = Field(ge=0, examples=[1])


class SecondOut(BaseModel):
    """One person over one second, or a longer step that starts there."""

    track_id: int
    second: int = Field(description="Start, seconds since 1970 (UTC).", examples=[1_784_000_000])
    n: int = Field(ge=1, description="Frames in it.")
    scores: dict[str, float]
    valence: float = Field(ge=-1, le=1)
    arousal: float = Field(ge=-1, le=1)
    label: str
    confidence: float = Field(ge=0, le=1)
    stress_index: float | None = Field(ge=0, le=100, description="An expression-based index, not a diagnosis.")
    stress_low: float | None
    stress_high: float | None
    stress_level: str = Field(description="low, medium or high, as published.")
    coverage: float = Field(ge=0, le=1, description="Share of the window with a usable face.")
    baseline: str = Field(description="learning, personal or none.")


class EpisodeOut(BaseModel):
    """A stretch in which a face kept one label other than neutral."""

    onset_s: float
    peak_s: float
    end_s: float | None
    label: str
    peak_value: float


class SummaryOut(BaseModel):
    """What one person, or all of a session together, showed."""

    track_id: int | None
    person_s: int
    start: int | None
    end: int | None
    scores: dict[str, float]
    valence: float | None
    arousal: float | None
    labels: dict[str, float] = Field(description="Share of the seconds by label.")
    stress_index: float | None
    stress_peak: float | None
    stress_peak_at: int | None
    stress_levels: dict[str, float]
    episodes: list[EpisodeOut]
    people: list[SummaryOut]
    note: str = Field(examples=["an expression-based index, not a diagnosis"])


class PeopleIn(BaseModel):
    """Two numbers of one person in a session."""

    person: int = Field(ge=1, le=MOST_ID, description="The number that goes.", examples=[2])
    into: int = Field(ge=1, le=MOST_ID, description="The number that stays.", examples=[1])


class SessionIn(BaseModel):
    """A session that becomes a part of another."""

    session: int = Field(ge=1, le=MOST_ID, description="Its number.", examples=[8])


class DayOut(BaseModel):
    """Everybody in front of the camera on one day, or in one ISO week."""

    day: str = Field(examples=["2026-11-21"])
    person_s: int
    sessions: int
    valence: float
    arousal: float
    stress_index: float | None
    stress_s: int
    labels: dict[str, float]


class TrendOut(BaseModel):
    """How a daily mean moves: Theil-Sen slope a day, with Sen's 95 % interval."""

    per_day: float
    low: float | None
    high: float | None
    days: int
    direction: str


class DaysOut(BaseModel):
    """Days, their weeks, and trends by quantity."""

    days: list[DayOut]
    weeks: list[DayOut]
    trends: dict[str, TrendOut | None]


class DeletedOut(BaseModel):
    """How much was deleted."""

    deleted: int = Field(ge=0, examples=[1])


class AccessOut(BaseModel):
    """What the asker may see, and what the server recognises with."""

    role: str = Field(description="owner or visitor.", examples=["visitor"])
    shared: bool = Field(description="Whether others use this server too, with tokens.")
    history: bool = Field(description="Whether the server can keep per-second figures.")
    retention_days: float | None = Field(description="Figures are deleted after so many days; null: never.")
    model: str = Field(examples=["base"])
    labels: list[str] = Field(description="The model's emotions in its own order.", examples=[list(SCORES)])
    detector: str = Field(examples=["yunet"])
    device: bool = Field(description="Whether /device/ recognises faces in the visitor's browser instead.")


class AnalyticsOut(BaseModel):
    """The published analytics document, with our index beside it."""

    model_config = ConfigDict(extra="allow")
    current_emotion: str | None = Field(examples=["happy"])
    confidence: float | None = Field(examples=[0.9594])
    stress_level: str = Field(description="low, medium or high, as published.", examples=["low"])
    stress_index: float | None = Field(description="0..100, an expression-based index, not a diagnosis.")
    distribution: dict[str, float] = Field(description="Share of each emotion among the last 30 faces.")
    history: list[dict[str, Any]] = Field(description="The last 30 faces, oldest first.")


class ProblemOut(BaseModel):
    """What was wrong, in one line."""

    detail: str = Field(examples=["is not an image, or is damaged from its first bytes on"])


MEANINGS = {
    400: "Not an image, damaged, or too many pixels",
    401: "The token is missing or wrong",
    403: "Another website asks, or only the owner may",
    404: "There is no such thing here",
    409: "These cannot be joined",
    413: "The body is too large",
    415: "Another content type is expected",
    421: "The host's name is not this server's",
    422: "A parameter is out of range",
    429: "Too many requests or images; Retry-After says when",
    501: "The server lacks an optional package",
    503: "Not possible right now: the store cannot be used, or the machine is too busy",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """FastAPI's ``responses`` for these statuses."""
    return {status: {"model": ProblemOut, "description": MEANINGS[status]} for status in statuses}


def binary_body(kinds: tuple[str, ...]) -> dict[str, Any]:
    """OpenAPI for a body that is one file."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


def form_body(name: str) -> dict[str, Any]:
    """OpenAPI for a form with one or more files called ``name``."""
    files = {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
    schema = {"type": "object", "required": [name], "properties": {name: files}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
