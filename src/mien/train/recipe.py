"""Recipes: a training run as one complete, typed, immutable config.

    recipe = load_recipe("base", overrides=["epochs=3", "optimizer.lr=0.05"])

Built-in recipes are YAML files in ``recipes/`` beside this file; a path to another YAML works the same. A recipe may
say ``extends: base`` and change two fields; a file that it names there is looked for beside it. The resolved recipe is
saved with the run, and its hash in the card.

Nothing here imports torch, so listing recipes is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mien.contract.errors import RecipeError
from mien.train.config import Recipe
from mien.train.recipe_file import find_recipe, read_recipe_file, recipe_names

__all__ = ["load_recipe", "recipe_names"]

REPLACED = ("args", "artefacts")
"""Free-form sections, which an extending recipe replaces whole: another network's arguments would not fit."""


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by built-in name or path, follow ``extends``, apply overrides, check it.

    Args:
        name: a built-in name or the path of a YAML file.
        overrides: ``key=value`` with dots into sections; the value is read as YAML.

    Raises:
        RecipeError: no such recipe, a misspelt key, or a value that is impossible; says which.
    """
    # overrides act on the plain fields: a section may be missing there, and only a whole recipe can be checked
    fields = _resolve(str(name), None, seen=())
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise RecipeError(f"--set {override}: expected key=value, such as optimizer.lr=0.05")
        try:
            parsed = yaml.safe_load(value)
        except (yaml.YAMLError, RecursionError, ValueError):  # ValueError: an impossible date, such as 2020-99-99
            raise RecipeError(f"--set {override}: the value is not valid YAML") from None
        *sections, last = key.strip().split(".")
        section = fields
        for part in sections:
            if section.get(part) is None:  # a section that the recipe leaves out, or turns off, such as "votes: null"
                section[part] = {}
            if not isinstance(section[part], dict):
                raise RecipeError(f"--set {override}: {part} is not a section")
            section = section[part]
        section[last] = parsed
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise RecipeError(f"recipe {name}: {_first_problem(error)}") from None


def _resolve(name: str, beside: Path | None, seen: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a recipe on top of those of the recipes that it extends; paths are relative to ``beside``."""
    path = find_recipe(name, beside)
    identity = name if path is None else str(path.resolve())
    # resolved paths: two names of one file are one recipe
    if identity in seen:
        raise RecipeError(f"recipe {name} extends itself: {' -> '.join((*seen, identity))}")
    fields = read_recipe_file(name, path)
    # before extends is followed: otherwise the name of the extended recipe would be kept
    fields.setdefault("name", Path(name).stem)
    base = fields.pop("extends", None)
    if base is None:
        return fields
    return _merge(_resolve(str(base), path.parent if path else None, (*seen, identity)), fields)


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        # sections are merged key by key, so that a recipe states only what differs
        both = isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in REPLACED
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _first_problem(error: ValidationError) -> str:
    """One line of the first validation error, with the keys that exist where one is misspelt."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    # pydantic would show the regular expression
    if first["type"] == "string_pattern_mismatch":
        wanted = "letters, digits and . _ + - =, no slash"
        return f"{key}: it names a file or folder: expected {wanted} (got {_short(first['input'])})"
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg'].removeprefix('Value error, ')} (got {_short(first['input'])})"
    return f"{key}: no such key; there are: {', '.join(_section(first['loc'][:-1]).model_fields)}"


def _section(location: Sequence[int | str]) -> type[BaseModel]:
    """The config class of a section, such as ("phases", 0, "optimizer")."""
    model: type[BaseModel] = Recipe
    for part in location:
        if isinstance(part, str) and part in model.model_fields:  # numbers count the elements of a list
            annotation = model.model_fields[part].annotation
            options = (annotation, *get_args(annotation))
            found = (each for each in options if isinstance(each, type) and issubclass(each, BaseModel))
            model = next(found, model)
    return model


def _short(value: object) -> str:
    """A value for a message; a whole section would fill the screen."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
