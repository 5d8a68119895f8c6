"""``mien recipes``: which there are, and what one says once everything it extends is resolved."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.cli.output import Format, console, needs, print_json

app = typer.Typer(no_args_is_help=True, help="List training recipes; show one.")


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
