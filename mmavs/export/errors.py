"""What an export may fail with."""


class ExportError(RuntimeError):
    """The model cannot be exported, or the file computes something else."""
