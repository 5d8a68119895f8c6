"""``mien recipes``: which there are, and what one says once everything it extends is resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.data_options import Classes, open_data
from mien.cli.output import Format, console, needs, print_json, say

app = typer.Typer(no_args_is_help=True, help="List training recipes; show one; preview its augmentation.")


@app.command("list")
def list_recipes(format: Annotated[Format, typer.Option(help="How to print.")] = Format.table) -> None:
    """List the built-in recipes."""
    from mien.train.recipe import load_recipe, recipe_names

    recipes = [load_recipe(name) for name in recipe_names()]
    if format is Format.json:
        print_json([{"name": recipe.name, "description": recipe.description} for recipe in recipes])
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("recipe", "network", "side", "epochs", "what it is"):
        table.add_column(column)
    for recipe in recipes:
        side = recipe.network.input_side or recipe.data.side
        table.add_row(recipe.name, recipe.network.name, str(side), str(recipe.epochs), recipe.description)
    console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A built-in recipe's name, or a .yaml file.")],
    set: Annotated[list[str] | None, typer.Option(help="Change a field, as in mien train.")] = None,
    format: Annotated[Format, typer.Option(help="How to print; table prints YAML.")] = Format.table,
) -> None:
    """Print a recipe with everything resolved; as JSON with its parameter counts for seven classes."""
    from mien.train.recipe import load_recipe

    recipe = load_recipe(name, set or ())
    if format is Format.json:
        with needs("train"):
            from mien.train.network import count_parameters
        counts = count_parameters(recipe, classes=7)
        print_json(recipe.model_dump(mode="json") | {"sha256": recipe.sha256, "parameters": counts})
    else:
        typer.echo(recipe.to_yaml(), nl=False)


@app.command()
def preview(
    name: Annotated[str, typer.Argument(help="A built-in recipe's name, or a .yaml file.")],
    data: Annotated[Path, typer.Option(help="Folder tree or fer2013.csv.")],
    classes: Classes = None,
    out: Annotated[Path, typer.Option(help="The .png to write.")] = Path("preview.png"),
    set: Annotated[list[str] | None, typer.Option(help="Change a field, as in mien train.")] = None,
    faces: Annotated[int, typer.Option(help="Different faces, one a column.", min=1)] = 12,
    draws: Annotated[int, typer.Option(help="Draws of each, one a row below the original.", min=1)] = 6,
) -> None:
    """Write a grid of training faces as the recipe's augmentation changes them; the first row is unchanged."""
    from mien.train.recipe import load_recipe

    recipe = load_recipe(name, set or ())
    with needs("train"):
        import numpy as np
        import torch

        from mien.train.augment import augment
    from mien.contract.atomic_files import write_png

    train = open_data(data, side=recipe.data.side, classes=classes).split("train")
    spread_N = np.linspace(0, len(train) - 1, faces).astype(int)  # folders are sorted by class: all classes are met
    originals = torch.from_numpy(train.faces_NHW[spread_N])
    torch.manual_seed(recipe.seed)
    rows = [originals.float(), *(augment(originals, recipe.augment) for _ in range(draws))]
    zoom = max(1, 96 // recipe.data.side)
    grid_HW = np.concatenate([np.concatenate(list(row.numpy()), axis=1) for row in rows])
    write_png(out, grid_HW.round().astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1))
    say(f"{out}: {faces} faces, {draws} draws of each below")
