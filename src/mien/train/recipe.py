"""Recipes: a training run as one complete, typed, immutable config.

    recipe = load_recipe("base", overrides=["epochs=3", "optimizer.lr=0.05"])

Built-in recipes are YAML files in ``recipes/`` beside this file; a path to another YAML works the same. A recipe may
say ``extends: base`` and change two fields. The resolved recipe is saved with the run, and its hash in the card.

Nothing here imports torch, so listing recipes is cheap.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mien.contract.errors import RecipeError


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkConfig(_Config):
    """Which network, and how pixels reach it."""

    name: str = Field("faceresnet", description="faceresnet, or any network of timm")
    args: dict[str, Any] = Field(default_factory=dict, description="passed to the network as they are")
    channels: Literal[1, 3] = Field(1, description="1 grey, 3 the same grey three times")
    input_side: int | None = Field(None, ge=8, le=1024, description="px the network sees; data.side when left out")
    normalize: Literal["face", "fixed"] = Field(
        "face", description="face: each face to mean 0, deviation 1, so light does not matter; fixed: mean and std"
    )
    mean: float = Field(0.5, description="subtracted from pixels scaled to 0..1, when fixed")
    std: float = Field(0.25, gt=0, description="what the difference is divided by, when fixed")
    drop: float = Field(0.3, ge=0, lt=1, description="dropout before the head")
    channels_last: bool = True


class DataConfig(_Config):
    """What is read from the data set."""

    side: int = Field(48, ge=8, le=1024, description="px of the stored face")


class AugmentConfig(_Config):
    """Random changes to each training face; zero turns one off."""

    flip: bool = Field(True, description="mirror half of the faces")
    rotate_deg: float = Field(0, ge=0, le=180, description="angle drawn from ±this")
    shift: float = Field(0, ge=0, le=0.5, description="shift drawn from ±this share of the side")
    scale: tuple[float, float] = Field((1.0, 1.0), description="zoom drawn from this range")
    brightness: float = Field(0, ge=0, le=1, description="added: ±this share of the full range")
    contrast: float = Field(0, ge=0, lt=1, description="factor drawn from 1±this around the face's mean")
    cutout: float = Field(0, ge=0, le=1, description="a grey square of up to this share of the side")


class OptimizerConfig(_Config):
    """SGD with Nesterov momentum, or AdamW."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.1, gt=0, description="peak learning rate")
    weight_decay: float = Field(5e-4, ge=0, description="not applied to biases and norms")
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD")
    clip_norm: float | None = Field(None, gt=0, description="largest gradient norm")


class ScheduleConfig(_Config):
    """Learning rate over the run, stepped every batch."""

    name: Literal["one-cycle", "cosine", "none"] = "one-cycle"
    warmup: float = Field(0.25, ge=0, lt=1, description="share of the run in which the rate rises")


class AverageConfig(_Config):
    """Exponential moving average of the weights, which is what gets validated and kept."""

    decay: float = Field(0.995, gt=0, lt=1)
    every_steps: int = Field(4, ge=1)


class Recipe(_Config):
    """Everything that decides a training run, data aside."""

    name: str
    description: str = ""
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    average: AverageConfig | None = AverageConfig()
    epochs: int = Field(30, ge=1)
    batch_size: int = Field(128, ge=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    precision: Literal["32", "bf16"] = Field("bf16", description="of the network's arithmetic; weights stay float32")
    seed: int = Field(0, ge=0)

    @property
    def sha256(self) -> str:
        """Hash of the resolved recipe, description aside."""
        facts = self.model_dump(mode="json", exclude={"description"})
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def to_yaml(self) -> str:
        """The resolved recipe as YAML that ``load_recipe`` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def recipe_names() -> tuple[str, ...]:
    """Names of the built-in recipes."""
    folder = resources.files("mien.train") / "recipes"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by built-in name or path, follow ``extends``, apply overrides, check it.

    Args:
        name: a built-in name or the path of a YAML file.
        overrides: ``key=value`` with dots into sections; the value is read as YAML.

    Raises:
        RecipeError: no such recipe, a misspelt key, or a value that is impossible; says which.
    """
    fields = _resolve(str(name), seen=())
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise RecipeError(f"--set {override}: expected key=value, such as optimizer.lr=0.05")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            raise RecipeError(f"--set {override}: the value is not valid YAML") from None
        *sections, last = key.strip().split(".")
        section = fields
        for part in sections:
            if not isinstance(section.setdefault(part, {}), dict):
                raise RecipeError(f"--set {override}: {part} is not a section")
            section = section[part]
        section[last] = parsed
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise RecipeError(f"recipe {name}: {_first_problem(error)}") from None


def _resolve(name: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if name in seen:
        raise RecipeError(f"recipe {name} extends itself: {' -> '.join((*seen, name))}")
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        if not path.is_file():
            raise RecipeError(f"{name}: no such recipe file")
        text = path.read_text(encoding="utf-8")
    elif name in recipe_names():
        text = (resources.files("mien.train") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise RecipeError(f"no recipe {name!r}; built in: {', '.join(recipe_names())}; or give the path of a .yaml")
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {name} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(fields, dict):
        raise RecipeError(f"recipe {name}: expected keys and values, found {type(fields).__name__}")
    fields.setdefault("name", Path(name).stem)
    base = fields.pop("extends", None)
    return _merge(_resolve(str(base), (*seen, name)), fields) if base else fields


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _first_problem(error: ValidationError) -> str:
    """One line of the first validation error, with the keys that exist where one is misspelt."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg']} (got {first['input']!r})"
    model: Any = Recipe
    for part in first["loc"][:-1]:
        options = [model.model_fields[part].annotation, *getattr(model.model_fields[part].annotation, "__args__", ())]
        model = next(option for option in options if hasattr(option, "model_fields"))
    return f"{key}: no such key; there are: {', '.join(model.model_fields)}"
