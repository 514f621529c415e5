"""Every configuration there is, as the tests see them: folders of YAML, composed as the commands compose them."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf


def nodes(cfg: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with a `_target_` in a plain or composed configuration."""
    if isinstance(cfg, DictConfig):
        cfg = OmegaConf.to_container(cfg, resolve=False)
    if isinstance(cfg, dict):
        if "_target_" in cfg:
            yield path, cfg
        for key, value in cfg.items():
            yield from nodes(value, f"{path}.{key}" if path else str(key))
    elif isinstance(cfg, list):
        for place, value in enumerate(cfg):
            yield from nodes(value, f"{path}[{place}]")


def located(target: str) -> Any:
    """What a `_target_` names."""
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def parameters(target: str) -> tuple[set[str], bool]:
    """The parameters a `_target_` takes by name, and whether it takes any other too."""
    signature = inspect.signature(located(target))
    named = {name for name, parameter in signature.parameters.items() if parameter.kind not in _VARIADIC}
    return named, any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.parameters.values())


_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
