"""A page that shows what sounds in a clip, and whether a model listens."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from .service import ClipService, RefusedClipError, Run

SOUNDS = [
    ('its own', 'matched'),
    ('silence', 'silence'),
    ('white noise', 'noise'),
    ("another clip's", 'another'),
]
RATES = [('1 a second', '1'), ('5 a second', '5'), ('every frame', 'native')]
# What the table says of a run; numbers are to the right.
COLUMNS = {
    'sound': 'left',
    'masks a second': 'right',
    'samples': 'right',
    'length': 'right',
    'frames': 'right',
    'sounding area': 'right',
    'uncertainty': 'right',
}
MAX_SAMPLES = 16
# Gradio gives each run a bar of its own where it finds one as a default.
_PROGRESS = gr.Progress()
# Fonts of the visitor's system: none is fetched.
_SANS = [gr.themes.Font(name) for name in ('system-ui', 'sans-serif')]
_MONO = [gr.themes.Font(name) for name in ('ui-monospace', 'monospace')]
CSS = """
.gradio-container {max-width: 1280px !important; width: 100%; margin: auto}
#clip video {max-height: 320px}
.refused {padding: 0.7em 1em; border-left: 4px solid #d55e00;
          background: #d55e0022; border-radius: 4px; overflow-wrap: anywhere}
.runs {width: 100%; border-collapse: collapse; font-size: 0.95em;
       font-variant-numeric: tabular-nums}
.runs caption {text-align: left; padding: 0.3em 0; opacity: 0.7}
.runs td, .runs th {padding: 0.35em 0.6em; font-weight: normal}
.runs, .runs tr, .runs td, .runs th {border-width: 0 !important;
                                     border-color: #80808060 !important}
.runs tr {border-bottom-width: 1px !important}
.runs thead th {opacity: 0.7}
.runs td:first-child {overflow-wrap: anywhere}
"""
# Without a wish a camera gives its largest pictures.
_CAMERA = dict(video=dict(width=dict(ideal=640), height=dict(ideal=480)))
# Uploads and results are removed after an hour, looked at every 5 minutes.
_DELETE_CACHE = (300, 3600)


def build_page(
    service: ClipService, title: str, examples: Sequence[Path] = ()
) -> gr.Blocks:
    """Build the page.

    Args:
        service: What segments the clips.
        title: Name of the model.
        examples: Clips that are offered.
    """

    def segment(
        video, sound, other, fps, num_samples, history, progress=_PROGRESS
    ):
        def show(done_s, total_s):
            share = min(done_s / total_s, 1) if total_s else None
            progress(share, desc=f'{done_s:.0f} s are done')

        try:
            run = service.run(video, sound, other, fps, int(num_samples), show)
        except RefusedClipError as error:
            rows = history[1]
            refusal = gr.update(value=_refusal(error), visible=True)
            return None, None, refusal, _table(rows), history
        # Those of the same clip can be compared.
        rows = history[1] if history[0] == video else []
        rows = [*rows, _row(sound, other, fps, num_samples, run)]
        results = str(run.overlay), str(run.timeline)
        return *results, gr.update(visible=False), _table(rows), (video, rows)

    with gr.Blocks(
        title=f'mmavs: {title}',
        analytics_enabled=False,
        delete_cache=_DELETE_CACHE,
    ) as page:
        gr.Markdown(
            f'# What sounds here?\n`{title}` marks the pixels of what is '
            'heard. Give the clip another sound: a model that listens marks '
            'something else.'
        )
        history = gr.State((None, []))
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                video = gr.Video(
                    label=f'Clip, up to {service.limits.max_seconds:g} s and '
                    f'{service.limits.max_megabytes:g} MB',
                    sources=['upload', 'webcam'],
                    include_audio=True,
                    webcam_options=gr.WebcamOptions(
                        mirror=False, constraints=_CAMERA
                    ),
                    elem_id='clip',
                )
                if examples:
                    gr.Examples(
                        [[str(path)] for path in examples],
                        [video],
                        label='Synthetic clips: same pictures, other sounds',
                        cache_examples=False,
                    )
                sound = gr.Radio(
                    SOUNDS, value='matched', label='Sound', elem_id='sound'
                )
                other = gr.File(
                    label='Video or audio file whose sound is heard',
                    file_types=['video', 'audio'],
                    visible=False,
                    height=170,
                    elem_id='other',
                )
                fps = gr.Radio(RATES, value='1', label='Masks', elem_id='fps')
                num_samples = gr.Slider(
                    0,
                    MAX_SAMPLES,
                    value=0,
                    step=1,
                    label='Samples for the uncertainty',
                    info='0: none',
                    elem_id='samples',
                )
                button = gr.Button(
                    'Find what sounds', variant='primary', elem_id='segment'
                )
            with gr.Column(scale=3, min_width=320):
                message = gr.HTML(visible=False, elem_id='message')
                overlay = gr.Video(
                    label='Marked, with the sound that was heard',
                    interactive=False,
                    height=420,
                    elem_id='overlay',
                )
                table = gr.HTML(elem_id='runs')
        timeline = gr.Image(
            label='Over time',
            show_label=False,
            # None that shares it with others.
            buttons=['fullscreen', 'download'],
            interactive=False,
            format='png',
            elem_id='timeline',
        )
        results = [overlay, timeline, message, table]
        sound.change(
            lambda choice: gr.update(visible=choice == 'another'),
            sound,
            other,
            queue=False,
            show_progress='hidden',
            api_visibility='private',
        )
        run = button.click(
            segment,
            [video, sound, other, fps, num_samples, history],
            [*results, history],
            api_name='segment',
            show_progress_on=overlay,
            concurrency_limit=1,
        )
        video.change(  # what is shown is of the clip before
            lambda: (None, None, gr.update(visible=False), ''),
            outputs=results,
            queue=False,
            show_progress='hidden',
            api_visibility='private',
            cancels=[run],
        )
    return page


def theme() -> gr.Theme:
    """The looks of the page, without a font that would have to be fetched."""
    return gr.themes.Default(font=_SANS, font_mono=_MONO)


def _row(
    sound: str, other: str | None, fps: str, num_samples: int, run: Run
) -> list[str]:
    """What the table says of a run."""
    heard = {value: name for name, value in SOUNDS}[sound]
    if sound == 'another':
        heard = os.path.basename(other)
    return [
        heard,
        'every frame' if fps == 'native' else fps,
        str(int(num_samples)),
        f'{run.duration_s:.1f} s',
        str(run.num_frames),
        f'{100 * run.area_share:.1f} %',
        'not drawn' if run.uncertainty is None else f'{run.uncertainty:.4f}',
    ]


def _refusal(error: RefusedClipError) -> str:
    text = html.escape(str(error))
    return f'<div class="refused" role="alert">{text}.</div>'


def _table(rows: list[list[str]]) -> str:
    if not rows:
        return ''
    sides = list(COLUMNS.values())

    def line(cells: Sequence[str], tag: str) -> str:
        return ''.join(
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )

    body = ''.join(f'<tr>{line(row, "td")}</tr>' for row in rows)
    return (
        '<table class="runs"><caption>Runs on this clip</caption>'
        f'<thead><tr>{line(list(COLUMNS), "th")}</tr></thead>'
        f'<tbody>{body}</tbody></table>'
    )
