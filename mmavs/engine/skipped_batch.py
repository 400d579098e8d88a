"""What a loop does when a batch is to leave no trace."""

from mmengine.runner import Runner


class SkippedBatchError(Exception):
    """Ends an iteration before the weights change.

    Raised by ``FiniteLossHook``, in all processes or in none, and caught by
    the training loops of mmavs.
    """


def after_skipped_batch(
    runner: Runner, batch_idx: int, data_batch: dict
) -> None:
    """Do what follows an iteration whose batch was skipped.

    The iteration counts: the schedules of the learning rate go on, and a
    checkpoint that is due is saved.

    Args:
        runner: The runner.
        batch_idx: Number of the batch, as the loop counts it.
        data_batch: The batch.
    """
    runner.call_hook(
        'after_train_iter',
        batch_idx=batch_idx,
        data_batch=data_batch,
        outputs=None,
    )
