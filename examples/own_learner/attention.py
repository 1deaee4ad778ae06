"""A learner of one's own: a small transformer on the rows of an image, with its own loop."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tuner.catalog import SAMPLES, Axis, Learner, Number
from tuner.learners.fits import TimedOutError
from tuner.learners.models import ModelLearner
from tuner.scoring import DivergedError


class RowTransformer(nn.Module):
    """Encoder layers over an image's rows, and a linear layer on their mean."""

    def __init__(self, width: int, rows: int, classes: int, depth: int, size: int) -> None:
        super().__init__()
        self.embed = nn.Linear(width, size)
        self.place = nn.Parameter(torch.zeros(rows, size))
        layer = nn.TransformerEncoderLayer(size, 4, 2 * size, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(size, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.embed(x) + self.place).mean(dim=1))


class Attention(ModelLearner):
    """What Tuner asks of a learner: what it is, and how one model is trained."""

    entry = Learner(
        "attention",
        "a transformer on the rows of an image",
        axes=(Axis("depth", 1, 64, (1, 2, 4, 8), description="encoder layers"), SAMPLES),
        hyperparameters={
            "learning_rate": Number(1e-4, 1e-1, 3e-3, log=True),
            "size": Number(8, 1024, 32, integer=True, tuned=False),
            "epochs": Number(1, 1000, 12, integer=True, tuned=False),
            # On another axis than depth, depth is a hyperparameter like any other.
            "depth": Number(1, 64, 2, integer=True, tuned=False),
        },
    )

    def problem_with(self, x, classes):
        return None if x.ndim == 4 else f"attention needs images; this is a table of {x.shape}"

    def train(self, setting, fold, device):
        threads = torch.get_num_threads()
        torch.set_num_threads(device.threads)  # and given back: slots are shared
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(fold.seed)  # everything random follows from the fold's seed
                return self._train(setting, fold, device)
        finally:
            torch.set_num_threads(threads)

    def _train(self, setting, fold, device):
        x = rows(fold.x).to(device.name)
        y = torch.tensor(fold.y, device=device.name)
        mean, spread = x.mean(), x.std()
        size, depth = int(setting["size"]) // 4 * 4, int(setting["depth"])
        net = RowTransformer(x.shape[2], x.shape[1], fold.classes, depth, size).to(device.name)
        optimizer = torch.optim.AdamW(net.parameters(), lr=float(setting["learning_rate"]))
        for epoch in range(int(setting["epochs"])):
            for batch in torch.randperm(len(x)).to(device.name).split(64):
                loss = nn.functional.cross_entropy(net((x[batch] - mean) / spread), y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if not all(torch.isfinite(p).all() for p in net.parameters()):
                raise DivergedError(f"a weight is NaN or infinite after epoch {epoch + 1}")
            if device.expired():
                raise TimedOutError(f"{epoch + 1} epochs")
        return Trained(net.eval(), mean, spread, device.name)


class Trained:
    """A fitted model. `tuner export` would want `save` and `load`, too."""

    kind = "attention"

    def __init__(self, net, mean, spread, device):
        self.net, self.mean, self.spread, self.device = net, mean, spread, device

    @property
    def parameters(self):
        return sum(p.numel() for p in self.net.parameters())

    def predict(self, x):
        with torch.inference_mode():
            scaled = (rows(x).to(self.device) - self.mean) / self.spread
            logits = torch.cat([self.net(part) for part in scaled.split(512)])
            return logits.double().softmax(dim=1).cpu().numpy()


def rows(x):
    """Returns images as sequences of their rows, shape (examples, height, channels * width)."""
    return torch.from_numpy(np.moveaxis(x, 1, 2).reshape(len(x), x.shape[2], -1).copy())


def cost(truth, probabilities):
    """A metric of one's own: a digit taken for a larger one costs by how much it is larger."""
    return float(np.abs(probabilities.argmax(axis=1) - truth).mean())
