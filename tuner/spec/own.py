"""What a job brings of the user's own: code, and a model to be fitted once more."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tuner.record import Setting
from tuner.spec.dataset import BlobFile
from tuner.spec.parts import Part


class Code(Part):
    """A folder with the modules that learners and metrics of one's own are in.

    Attributes:
        folder: The folder on the client's machine, which packs and uploads it.
        archive: The uploaded archive; filled in by the client.
    """

    folder: str = Field("", max_length=4096)
    archive: BlobFile | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"folder": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.folder and self.archive is None:
            raise ValueError("needs the folder that your modules are in; write code: FOLDER")
        return self


class Refit(Part):
    """A model that is fitted once more, on all training data, to be kept.

    Attributes:
        job: The job that chose it.
        search: The search in it.
        level: The level.
        setting: The other hyperparameters.
        data_digest: SHA-256 of the data's content then; "" where it isn't known. Other data
            is refused.
    """

    job: str = Field(min_length=1, max_length=300)
    search: str = Field(min_length=1, max_length=100)
    level: int = Field(ge=1)
    setting: Setting
    data_digest: str = Field("", pattern=r"^([0-9a-f]{64})?$")
