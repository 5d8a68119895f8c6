"""Recipes: a training run as one complete, typed, immutable config.

    recipe = load_recipe("base", overrides=["epochs=3", "optimizer.lr=0.05"])

Built-in recipes are YAML files in ``recipes/`` beside this file; a path to another YAML works the same. A recipe may
say ``extends: base`` and change two fields. The resolved recipe is saved with the run, and its hash in the card.

Nothing here imports torch, so listing recipes is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mien.contract.errors import RecipeError
from mien.train.config import Recipe

REPLACED = ("args", "artefacts")
"""Free-form sections, which an extending recipe replaces whole: another network's arguments would not fit."""


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
        both = isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in REPLACED
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
