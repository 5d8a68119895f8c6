"""The model card that travels inside every model file, as JSON in the ONNX metadata under the key ``mien_card``.

    card = ModelCard.from_json(text)      # ModelError if it is not ours or newer than this version
    card.labels, card.image.side, card.temperature

mien infers nothing about a model from its file name: the card holds all that is needed to use the model correctly.
TorchScript and .pth files carry the same card, under the same key.

Not here: finding and writing the card in an .onnx file (onnx_container.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mien.contract.errors import ModelError
from mien.contract.guarantees import Guarantees
from mien.contract.lineage import Parent, check_descent
from mien.contract.naming import Naming
from mien.contract.pixels import Margin

CARD_FORMAT = 3
"""Raised when a reader of this version could misread a newer card.

Format 2 added the fields from ``vector`` on, format 3 added ``naming`` and ``guarantees``.
"""

CARD_KEY = "mien_card"
"""Name of the card among an ONNX file's metadata properties."""


@dataclass(frozen=True)
class ImageSpec:
    """The crops that a model wants.

    Attributes:
        side: pixels of the square crop.
        channels: of the network inside; the file itself always takes grey.
        margins: by detector name, what to add around its box (left, top, right, bottom; shares of the box) for the
            framing that the model was trained on.
    """

    side: int
    channels: int
    margins: Mapping[str, Margin]


@dataclass(frozen=True)
class ModelCard:
    """Facts about a model.

    Attributes:
        name: short name, such as "base".
        labels: emotions in the order of the outputs.
        image: the crops it wants.
        temperature: the graph divides the logits by it, which calibrates the confidence; 1 if ``vector`` or ``curve``
            calibrates instead.
        accept_threshold: the model abstains (``Face.accepted`` is False) if no emotion is at least this probable.
        metrics: figures by split, such as {"validation": {"n": 3589, "accuracy": 0.69}}.
        recipe: the resolved training recipe.
        data: data set name, fingerprint and class counts per split.
        provenance: licence, version, machine, versions of libraries, seconds of training, parameters.
        vector: {"factors", "offsets"}, one a class: the logits times the factors plus the offsets, inside the graph;
            None where the temperature is enough.
        curve: three coefficients k of a temperature that follows the confidence, inside the graph: the logits times
            exp(k0 + k1 u + k2 u^2), u = lead / (1 + lead), lead = best logit less the second; None without.
        rejected: further classes, such as "not a face", that are never named. Their probability is missing from those
            of ``labels``, which then sum to less than 1; so the confidence falls and the model abstains.
        precision: of the arithmetic: "fp32", "fp16", "bf16", "int8" (ranges measured beforehand) or "int8-dynamic".
        graph_sha256: ``onnx_container.graph_digest`` of the .onnx file that carries this card; None in other formats.
        parents: the models that this one was made from or taught by (mien.contract.lineage).
        naming: how often each emotion occurs in the photos that the probabilities are calibrated for, and how strongly
            the default corrects for it when it names one; None names the most probable emotion.
        guarantees: sets of emotions and thresholds that keep a promise on faces like those that they were fitted on;
            None where nothing was promised.
    """

    name: str
    labels: tuple[str, ...]
    image: ImageSpec
    temperature: float
    accept_threshold: float
    metrics: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    vector: Mapping[str, list[float]] | None = None
    curve: list[float] | None = None
    rejected: tuple[str, ...] = ()
    precision: str = "fp32"
    graph_sha256: str | None = None
    parents: tuple[Parent, ...] = ()
    naming: Naming | None = None
    guarantees: Guarantees | None = None

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ModelError(f"model card: expected two or more different labels, got {list(self.labels)}")
        if not self.image.side >= 8 or self.image.channels not in (1, 3):
            raise ModelError(f"model card: impossible image spec {self.image}")
        if not self.temperature > 0:
            raise ModelError(f"model card: expected temperature > 0, got {self.temperature}")
        if not 0 <= self.accept_threshold <= 1:
            raise ModelError(f"model card: expected accept_threshold in 0..1, got {self.accept_threshold}")
        check_descent(self)
        if self.naming is not None and set(self.naming.frequencies) != set(self.labels):
            raise ModelError(f"model card: expected the frequency of each label, got {dict(self.naming.frequencies)}")

    @property
    def calibrated_by(self) -> str:
        """In words."""
        if self.curve is not None:
            return "a temperature that follows the confidence"
        return "vector scaling" if self.vector is not None else f"temperature {self.temperature:.3f}"

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON, the format number included."""
        return {"format": CARD_FORMAT, **asdict(self)}

    def to_json(self) -> str:
        """The card as it is stored."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a stored card.

        Raises:
            ModelError: not a card, a field is missing or impossible, or it was written by a newer version.
        """
        try:
            fields = dict(json.loads(text))
            version = fields.pop("format")
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ModelError("the model card is not readable") from None
        if not isinstance(version, int) or version > CARD_FORMAT:
            raise ModelError(
                f"the model card has format {version}, this version of mien reads up to {CARD_FORMAT}; upgrade mien"
            )
        try:
            image = fields.pop("image")
            margins = {str(name): tuple(map(float, margin)) for name, margin in image["margins"].items()}
            if any(len(margin) != 4 for margin in margins.values()):
                raise ValueError("margins")
            spec = ImageSpec(int(image["side"]), int(image["channels"]), margins)  # type: ignore[arg-type]
            rejected = tuple(map(str, fields.pop("rejected", ())))
            parents = tuple(_parent(parent) for parent in fields.pop("parents", ()))
            naming = fields.pop("naming", None)
            guarantees = fields.pop("guarantees", None)
            return cls(
                labels=tuple(map(str, fields.pop("labels"))),
                image=spec,
                rejected=rejected,
                parents=parents,
                naming=None if naming is None else Naming(**naming),
                guarantees=None if guarantees is None else Guarantees.from_dict(guarantees),
                **fields,
            )
        except ModelError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"the model card lacks or misstates a field: {error}") from None


def _parent(stored: Mapping[str, Any]) -> Parent:
    """A parent as the card holds it; cards before format 3 did not say how it was related."""
    own = {key: stored[key] for key in ("name", "graph_sha256", "relation", "weight") if key in stored}
    facts = stored.get("facts") or {key: value for key, value in stored.items() if key not in own and key != "facts"}
    return Parent(**own, facts=facts or None)
