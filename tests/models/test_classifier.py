"""The classifier: stages fit together, probabilities are calibrated, a checkpoint brings everything back."""

from collections.abc import Iterator

import pytest
import torch

from timbre.features import Frontend
from timbre.models import Classifier, SeedCNN

LABELS = ["blues", "jazz", "rock"]


def make() -> Classifier:
    frontend = Frontend(
        sample_rate=8000,
        clip_seconds=1.0,
        n_fft=512,
        hop_length=128,
        n_mels=32,
        n_mfcc=13,
        n_chroma=12,
        amin=1e-10,
        top_db=80.0,
        image_size=32,
    )
    backbone = SeedCNN(
        image_size=32, filters=[4, 8], conv_dropouts=[0.25, 0.25], hidden_units=[16, 8], dense_dropout=0.5
    )
    return Classifier(frontend, backbone, labels=LABELS)


@pytest.fixture
def classifier() -> Iterator[Classifier]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = make().eval()
        with torch.inference_mode():
            yield classifier


def clips(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 8000, generator=torch.Generator().manual_seed(0))


def test_waveform_to_probabilities_and_embedding(classifier: Classifier) -> None:
    probabilities, embedding = classifier(clips())
    assert probabilities.shape == (4, 3)
    assert embedding.shape == (4, 8)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4))


def test_the_stages_of_training_are_those_of_the_answer(classifier: Classifier) -> None:
    logits = classifier.logits(classifier.frontend(clips()))
    torch.testing.assert_close(classifier(clips())[0], logits.softmax(dim=1))


def test_the_head_reads_the_embedding(classifier: Classifier) -> None:
    probabilities, embedding = classifier(clips())
    torch.testing.assert_close(classifier.head(embedding).softmax(dim=1), probabilities)


def test_temperature_softens_the_answer_and_not_the_logits(classifier: Classifier) -> None:
    image = classifier.frontend(clips())
    logits = classifier.logits(image)
    classifier.temperature.fill_(4.0)
    assert torch.equal(classifier.logits(image), logits)
    torch.testing.assert_close(classifier(clips())[0], (logits / 4).softmax(dim=1))


def test_alone_as_in_company(classifier: Classifier) -> None:
    together, _ = classifier(clips(5))
    for clip, expected in zip(clips(5), together, strict=True):
        torch.testing.assert_close(classifier(clip[None])[0][0], expected, atol=1e-6, rtol=0)


def test_a_checkpoint_brings_back_all_of_it(classifier: Classifier) -> None:
    classifier.temperature.fill_(1.7)
    other = make().eval()
    other.load_state_dict(classifier.state_dict())
    assert torch.equal(other(clips())[0], classifier(clips())[0])
    assert {"temperature", "frontend.filters", "frontend.columns"} <= classifier.state_dict().keys()


def test_nothing_of_the_front_end_is_trained() -> None:
    assert list(make().frontend.parameters()) == []
