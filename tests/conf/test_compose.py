"""Every configuration composes, and what it describes can be built."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pytorch_lightning import Trainer

from timbre.cli.hydra_app import compose
from timbre.models import Classifier
from timbre.training import GenreDataModule, GenreModule

CONF = Path(__file__).parents[2] / "conf"
GIVEN = ["run_dir=outputs/train/test"]
VERBS = sorted(file.stem for file in CONF.glob("*.yaml"))


def choices() -> dict[str, list[str]]:
    """Every group and its choices."""
    groups: dict[str, list[str]] = {}
    for file in sorted(CONF.rglob("*.yaml")):
        if file.parent != CONF:
            groups.setdefault(str(file.parent.relative_to(CONF)), []).append(file.stem)
    return groups


GROUPS = choices()
EXPERIMENTS = GROUPS.pop("experiment")
ROUNDS = range(max(map(len, GROUPS.values())))


@pytest.fixture(scope="module")
def top_level() -> set[str]:
    return set(compose("train", GIVEN))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_composes_and_resolves(verb):
    cfg = compose(verb, GIVEN if verb == "train" else [])
    assert OmegaConf.to_container(cfg, resolve=True)


@pytest.mark.parametrize("number", ROUNDS)
def test_every_choice_of_every_group_composes_and_resolves(number, top_level):
    """In round k each group makes its k-th choice, over and over, so that all are made in few compositions."""
    words = [f"{group}={names[number % len(names)]}" for group, names in GROUPS.items()]
    cfg = compose("train", [*words, *GIVEN])
    assert set(cfg) == top_level, "a choice may only change what is there"
    assert OmegaConf.to_container(cfg, resolve=True)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_resolves_and_only_changes_what_is_there(name, top_level):
    cfg = compose("train", [f"experiment={name}", *GIVEN])
    assert set(cfg) == top_level
    assert OmegaConf.to_container(cfg, resolve=True)


def test_what_training_needs_can_be_built(tmp_path):
    cfg = compose("train", [f"run_dir={tmp_path}"])
    classifier = instantiate(cfg.classifier, labels=["a", "b"], _convert_="all")
    assert isinstance(classifier, Classifier)
    module = instantiate(cfg.module, _partial_=True, _convert_="all")(classifier=classifier, hyper_parameters={})
    assert isinstance(module, GenreModule)
    assert isinstance(instantiate(cfg.datamodule), GenreDataModule)
    callbacks = [instantiate(node) for node in cfg.callbacks.values()]
    trainer = instantiate(cfg.trainer, _partial_=True, _convert_="all")(
        callbacks=callbacks, logger=False, enable_progress_bar=False
    )
    assert isinstance(trainer, Trainer)
    assert trainer.max_epochs == 100


@pytest.mark.parametrize("name", GROUPS["optimizer"])
def test_every_optimizer_can_be_built(name):
    cfg = OmegaConf.load(CONF / "optimizer" / f"{name}.yaml")
    optimizer = instantiate(cfg, _convert_="all")(torch.nn.Linear(2, 2).parameters())
    assert optimizer.param_groups[0]["lr"] == cfg.lr


def test_the_defaults_are_the_seeds():
    cfg = compose("train", GIVEN)
    assert cfg.datamodule.batch_size == 32
    assert cfg.trainer.max_epochs == 100
    assert (cfg.optimizer._target_, cfg.optimizer.lr) == ("torch.optim.Adam", 1e-3)
    assert (cfg.callbacks.early_stopping.patience, cfg.callbacks.early_stopping.monitor) == (10, "val_loss")
    assert cfg.model.filters == [32, 64, 128, 256]


@pytest.mark.parametrize("name", ["gpu", "ddp"])
def test_trainers_on_a_gpu_use_mixed_precision_and_pinned_memory(name):
    cfg = compose("train", [f"trainer={name}", *GIVEN])
    assert (cfg.trainer.accelerator, cfg.trainer.precision) == ("gpu", "bf16-mixed")
    assert cfg.datamodule.pin_memory
    assert cfg.datamodule.num_workers > 0
    assert "gpu" not in cfg
