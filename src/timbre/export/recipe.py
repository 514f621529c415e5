"""What a checkpoint may ask to be built: this package's own networks and front ends, and nothing else.

A checkpoint comes from anywhere, and Hydra calls whatever function a configuration names.
"""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import nn

OURS = re.compile(r"(?P<module>timbre\.(?:models|features)(?:\.\w+)*)\.(?P<name>\w+)", re.ASCII)
SETTINGS = frozenset({"_target_", "_convert_", "_recursive_"})
"""Words of Hydra that a recipe may hold: the others give arguments past their names or delay calls."""


class RecipeError(ValueError):
    """A recipe names something that is not ours to build."""


def check_recipe(recipe: Any) -> None:
    """Look at everything in a recipe, however deep, and call nothing.

    Args:
        recipe: plain values, as `Checkpoint.classifier` holds them.

    Raises:
        RecipeError: if any `_target_` is not a module of `timbre.models` or `timbre.features`, Hydra would be given
            other orders, or a text would be replaced by something of this machine (`${...}`).
    """
    if isinstance(recipe, Mapping):
        for key, value in recipe.items():
            check_recipe(key)
            if key == "_target_":
                _check_target(value)
            elif str(key).startswith("_") and key not in SETTINGS:
                raise RecipeError(f"it sets {key}")
            check_recipe(value)
    elif isinstance(recipe, list | tuple | set | frozenset):
        for value in recipe:
            check_recipe(value)
    elif isinstance(recipe, str):
        if "${" in recipe:
            raise RecipeError(f"it holds the placeholder {recipe!r}")
    elif recipe is not None and not isinstance(recipe, bool | int | float):
        raise RecipeError(f"it holds a {type(recipe).__name__}")


def _check_target(target: object) -> None:
    """Only classes that our own modules define: what they import, such as all of torch, is below their names too."""
    found = OURS.fullmatch(target) if isinstance(target, str) else None
    if not found:
        raise RecipeError(f"{target!r} is not of timbre.models or timbre.features")
    try:
        made = getattr(import_module(found["module"]), found["name"])
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"there is no {target}") from error
    if not (isinstance(made, type) and issubclass(made, nn.Module) and OURS.fullmatch(f"{made.__module__}.x")):
        raise RecipeError(f"{target} is not a network or front end of timbre")
