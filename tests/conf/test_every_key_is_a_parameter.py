"""A YAML key is a parameter of its `_target_` and every parameter is a YAML key: no dead knob, no hidden default."""

from pathlib import Path

import pytest
import yaml

from .conftest import nodes, parameters

CONF = Path(__file__).parents[2] / "conf"

HANDED_OVER = {
    "timbre.models.Classifier": {"labels"},
    "timbre.training.GenreModule": {"classifier", "hyper_parameters"},
    "pytorch_lightning.Trainer": {"callbacks", "logger", "enable_progress_bar"},
    "torch.optim.Adam": {"params"},
    "torch.optim.AdamW": {"params"},
    "torch.optim.SGD": {"params"},
}
"""Parameters that are objects, which the commands build and hand over."""

HOW_IT_COMPUTES = {"foreach", "maximize", "differentiable"}
LEFT_ALONE = {
    "torch.optim.Adam": HOW_IT_COMPUTES | {"capturable", "decoupled_weight_decay"},  # the latter is AdamW
    "torch.optim.AdamW": HOW_IT_COMPUTES | {"capturable"},
    "torch.optim.SGD": HOW_IT_COMPUTES,
    "pytorch_lightning.Trainer": {
        *("fast_dev_run", "overfit_batches", "detect_anomaly", "barebones", "profiler", "plugins"),
        *("min_epochs", "max_steps", "min_steps", "val_check_interval", "check_val_every_n_epoch"),
        *("limit_test_batches", "limit_predict_batches", "inference_mode", "num_nodes", "sync_batchnorm"),
        *("reload_dataloaders_every_n_epochs", "enable_checkpointing", "gradient_clip_algorithm"),
        *("enable_autolog_hparams", "model_registry"),
    },
    "pytorch_lightning.callbacks.EarlyStopping": {
        *("verbose", "strict", "check_finite", "stopping_threshold", "divergence_threshold", "log_rank_zero_only"),
    },
    "pytorch_lightning.loggers.MLFlowLogger": {"tags", "save_dir", "prefix", "artifact_location", "synchronous"},
    "pytorch_lightning.loggers.WandbLogger": {
        *("version", "offline", "dir", "id", "anonymous", "experiment", "prefix", "checkpoint_name"),
        "add_file_policy",
    },
    "pytorch_lightning.loggers.CSVLogger": {"prefix"},
}
"""Other people's parameters whose defaults we leave alone, by name, so that a new one is noticed.

They do not change what is learned, or timbre fixes what they are about elsewhere. Ours have no such list.
"""

OTHERS_KEYS = {"pytorch_lightning.loggers.WandbLogger": {"mode"}}  # goes through to wandb.init
HYDRA_KEYS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}


def everything():
    """(file and place, node) of every `_target_` in every file of conf/."""
    for file in sorted(CONF.rglob("*.yaml")):
        for place, node in nodes(yaml.safe_load(file.read_text(encoding="utf-8"))):
            yield pytest.param(node, id=f"{file.relative_to(CONF)}:{place}".rstrip(":"))


@pytest.mark.parametrize("node", list(everything()))
def test_keys_and_parameters_are_the_same(node):
    target = node["_target_"]
    named, takes_any = parameters(target)
    keys = {key for key in node if key not in HYDRA_KEYS and key != "defaults"}
    through = OTHERS_KEYS.get(target, set()) if takes_any else set()
    handed_over, left_alone = HANDED_OVER.get(target, set()), LEFT_ALONE.get(target, set())
    assert keys - through <= named, "a dead knob"
    assert named - keys - handed_over - left_alone == set(), "a hidden default"
    assert (handed_over | left_alone) <= named, "an exception for nothing"
    assert not keys & (handed_over | left_alone), "an exception for a key that is there"
    assert not (target.startswith("timbre.") and left_alone)
