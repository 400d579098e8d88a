"""A page on this machine: upload or record a clip, see what sounds in it.

Shows the clip with what sounds marked, and the same over time. The sound can
be replaced by silence, by noise or by that of another clip, to see whether
the model listens. Nothing leaves the machine: the page needs no network, and
clips and results are removed when it ends.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from steps.inference_checks import check_model
from steps.messages import reason, refuse
from web.local_only import stay_local

if TYPE_CHECKING:
    import gradio as gr
    from web.service import ClipService


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--config', required=True, help='file, or name of one in configs/'
    )
    parser.add_argument('--checkpoint', required=True, help='trained weights')
    parser.add_argument('--device', help='default: a GPU where there is one')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on; 0.0.0.0 lets other machines in; '
        'default: %(default)s',
    )
    parser.add_argument(
        '--port', type=int, default=7860, help='default: %(default)s'
    )
    parser.add_argument(
        '--max-megabytes',
        type=positive,
        default=50,
        help='largest file; default: %(default)s',
    )
    parser.add_argument(
        '--max-seconds',
        type=positive,
        default=60,
        help='longest clip; default: %(default)s',
    )
    parser.add_argument(
        '--examples',
        action='store_true',
        help='offer two synthetic clips, for a model of synthetic data',
    )
    return parser.parse_args()


def positive(text: str) -> float:
    """Read a number above 0."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} is not above 0')
    return value


def main() -> None:
    """Serve the page until it is interrupted."""
    args = parse_args()
    check_model(args.config, args.checkpoint)
    # The folder is removed also when the process is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix='mmavs-webdemo-') as folder:
        try:
            serve(args, Path(folder))
        finally:
            # Not to be interrupted while it is being removed.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)


def serve(args: argparse.Namespace, folder: Path) -> None:
    """Serve the page.

    Args:
        args: Of the command line.
        folder: Where uploads and results go.
    """
    # Gradio asks itself whether it is there. Nobody else is asked anything.
    stay_local(args.host)
    for name in [name for name in os.environ if name.lower()[-6:] == '_proxy']:
        del os.environ[name]
    # Read when gradio is imported.
    os.environ['GRADIO_TEMP_DIR'] = str(folder / 'files')
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
        from web.page import build_page
    except ModuleNotFoundError as error:
        if error.name != 'gradio':
            raise
        sys.exit('webdemo.py needs Gradio: pip install mmavs[web]')
    from web.examples import write_examples
    from web.limits import Limits
    from web.service import ClipService

    from mmavs.apis import AVSInferencer

    try:
        inferencer = AVSInferencer(args.config, args.checkpoint, args.device)
    except Exception as error:
        refuse(reason(error, ''))
    service = ClipService(
        inferencer,
        folder / 'results',
        Limits(args.max_megabytes, args.max_seconds),
    )
    page = build_page(
        service,
        Path(args.config).stem,
        write_examples(folder / 'examples') if args.examples else (),
    )
    launch(page, args.host, args.port, args.max_megabytes)
    print(f'{page.local_url} (Ctrl-C ends it)', flush=True)
    try:
        page.block_thread()
    finally:
        end(service, folder)


def end(service: ClipService, folder: Path) -> None:
    """Stop the run that goes on, or else the whole process.

    Args:
        service: What it goes on in.
        folder: What must not stay.
    """
    if not service.close():
        # The thread of the run would keep the process from ending.
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def launch(
    page: gr.Blocks, host: str, port: int, max_megabytes: float
) -> None:
    """Begin to serve a page, to nobody but those it is for.

    Args:
        page: The page.
        host: Address to listen on.
        port: Where.
        max_megabytes: Largest upload.
    """
    from web.limits import MEGABYTE
    from web.page import CSS, theme

    try:
        page.launch(
            server_name=host,
            server_port=port,
            max_file_size=int(max_megabytes * MEGABYTE),
            theme=theme(),
            css=CSS,
            footer_links=[],
            show_error=False,
            quiet=True,
            prevent_thread_lock=True,
            # Whatever the environment says.
            share=False,
            ssr_mode=False,
            mcp_server=False,
            run_history=False,
            enable_monitoring=False,
        )
    except OSError as error:
        refuse(
            f'--host {host} --port {port}: nothing can be served there '
            f'({error})'
        )


if __name__ == '__main__':
    main()
