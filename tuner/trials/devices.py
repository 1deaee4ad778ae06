"""The device that a slot worker runs on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Accelerator:
    """A device.

    Attributes:
        name: torch's name: "cpu" or "cuda".
        type: Its type for the bill: "cpu" or the accelerator's model.
    """

    name: str
    type: str

    @classmethod
    def of_this_worker(cls, gpus: float) -> Accelerator:
        """Returns the device that Ray gave this worker.

        Ray hides the other accelerators (CUDA_VISIBLE_DEVICES), so the first
        that torch sees is the worker's.

        Args:
            gpus: Devices that the slot reserves; torch is not imported for 0.

        Raises:
            RuntimeError: A device is reserved but torch sees none.
        """
        if not gpus:
            return cls("cpu", "cpu")
        import torch

        if not torch.cuda.is_available():
            raise RuntimeError(
                f"the slot reserves {gpus:g} of a GPU but torch sees none on this node; "
                "install a CUDA build of torch there or set resources.gpus to 0"
            )
        return cls("cuda", torch.cuda.get_device_name(0))
