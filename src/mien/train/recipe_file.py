"""One recipe file as keys and values, before anything is checked against the config.

    fields = read_recipe_file(Path("mine.yaml"))

YAML lets a key appear twice and keeps the last value. In a recipe that is a mistake that nobody sees, so it is refused.
"""

from __future__ import annotations

from collections.abc import Hashable
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from mien.contract.errors import RecipeError

LARGEST_BYTES = 1_000_000
"""A recipe has a few hundred bytes; something larger is another file, and YAML takes minutes over some of them."""


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader, which refuses a key that appears twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)  # "<<: *defaults" may be overridden, which is its purpose
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key that is a list or a mapping", node.start_mark
                )
            # YAML takes the last of two equal keys without a word, so an edit of the first would do nothing
            if key in seen:
                where = key_node.start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} appears twice", where)
            seen.add(key)
        return super().construct_mapping(node, deep)


def recipe_names() -> tuple[str, ...]:
    """Names of the built-in recipes."""
    folder = resources.files("mien.train") / "recipes"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def find_recipe(name: str, beside: Path | None = None) -> Path | None:
    """The file that a recipe name or path means; None for a built-in recipe.

    Args:
        name: a built-in name, or a path that ends in .yaml or .yml.
        beside: the folder of the file that says ``extends: name``; paths are relative to it.

    Raises:
        RecipeError: no such recipe or file; lists those that are built in.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        path = path if beside is None else beside / path  # an absolute path stays as it is
        if not path.is_file():
            raise RecipeError(f"{path}: no such recipe file; built in are: {', '.join(recipe_names())}")
        return path
    if name in recipe_names():
        return None
    raise RecipeError(f"no recipe {name!r}; built in: {', '.join(recipe_names())}; or give the path of a .yaml")


def read_recipe_file(name: str, path: Path | None) -> dict[str, Any]:
    """Keys and values of a recipe file, or of the built-in recipe ``name`` where ``path`` is None.

    Raises:
        RecipeError: unreadable, not YAML, not a mapping, or with a key twice; one line that says where.
    """
    try:
        if path is None:
            content = (resources.files("mien.train") / "recipes" / f"{name}.yaml").read_bytes()
        elif path.stat().st_size > LARGEST_BYTES:
            raise RecipeError(f"recipe {path}: {path.stat().st_size:,} bytes is too large to be a recipe")
        else:
            content = path.read_bytes()
        # decoded here, so that a file in another encoding gets a message of its own
        fields = yaml.load(content.decode("utf-8"), _StrictLoader)
    except OSError as error:
        raise RecipeError(f"recipe {path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise RecipeError(f"recipe {path or name}: not text in UTF-8, so no YAML; give the .yaml file") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: an impossible date, such as 2020-99-99
        if isinstance(error, RecipeError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise RecipeError(f"recipe {path or name} is not valid YAML: {reason}") from None
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        found = "keys that are not text" if isinstance(fields, dict) else type(fields).__name__
        raise RecipeError(f"recipe {path or name}: expected keys and values such as epochs: 30, found {found}")
    return fields
