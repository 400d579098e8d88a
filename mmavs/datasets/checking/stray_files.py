"""Files and folders that are there without being asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmavs.datasets.checking.problem import Problem
from mmavs.datasets.checking.setting import Setting
from mmavs.datasets.layout import SPLITS, pattern_fields

__all__ = ['find_stray_files']

# Left behind by file browsers; hidden files are passed over as well.
_IGNORED = ('Thumbs.db', 'desktop.ini')
# What may stand for a pickled log-mel.
_LOG_MEL_SUFFIX = r'\.(?:pkl|npy|safetensors)'


def find_stray_files(
    root: str | Path,
    setting: Setting,
    clips: Sequence[Mapping[str, str]],
) -> list[Problem]:
    """Find what lies in the folders of a setting and belongs to no clip.

    Only where the layout has names that depend on a clip is anything
    unexpected: what else a user keeps beside them is nobody's business.

    Args:
        root: the folder that is checked.
        setting: what to look at in it.
        clips: those listed.

    Returns:
        Problems of the kinds ``not_in_csv``, ``frame_count`` and
        ``unexpected_file``, one for each clip and kind of file or for each
        unknown name, however many files it has.
    """
    by_id: dict[str, list[Mapping[str, str]]] = {}
    for clip in clips:
        by_id.setdefault(clip['video_id'], []).append(clip)
    problems: dict[tuple[str, str], Problem] = {}
    for key in setting.layout.patterns:
        for problem in _Walk(Path(root), setting, key, by_id).problems():
            # Patterns share folders: each is reported once.
            problems.setdefault((problem.kind, problem.path), problem)
    return list(problems.values())


class _Walk:
    """One pattern, followed from folder to folder.

    Args:
        root: the folder that is checked.
        setting: what to look at in it.
        key: name of the pattern.
        by_id: id to the listed clips of that id.
    """

    def __init__(
        self,
        root: Path,
        setting: Setting,
        key: str,
        by_id: Mapping[str, Sequence[Mapping[str, str]]],
    ) -> None:
        self.root = root
        self.setting = setting
        self.key = key
        self.by_id = by_id

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong, in the order of the names."""
        parts = self.setting.layout.patterns[self.key].split('/')
        yield from self._follow(self.setting.prefix, parts, {}, {})

    def _follow(
        self,
        folder: str,
        parts: Sequence[str],
        fields: Mapping[str, str],
        clip: Mapping[str, str],
    ) -> Iterator[Problem]:
        """Yield the problems below a folder.

        Args:
            folder: relative to the root, with a slash at the end.
            parts: what is left of the pattern.
            fields: what the folders before stand for.
            clip: the clip whose files these are, empty before it is known.
        """
        part, rest = parts[0], parts[1:]
        if not pattern_fields(part):
            if rest:
                yield from self._follow(f'{folder}{part}/', rest, fields, clip)
            return
        regex = re.compile(self._regex(part, fields))
        surplus: list[str] = []
        for name, is_folder in self._entries(folder):
            path = folder + name
            match = regex.fullmatch(name)
            if match is None or is_folder != bool(rest):
                if part != '{subset}':  # the root itself, with the lists
                    yield self._unfit(path, clip)
                continue
            found = {**fields, **match.groupdict()}
            owner = clip
            if 'video_id' in found and not clip:
                problem, owner = self._owner(path, found)
                if problem is not None:
                    yield problem
                    continue
            if 'k' in found and found['k'] not in map(
                str, self._numbers(owner)
            ):
                surplus.append(path)
            elif rest:
                yield from self._follow(f'{path}/', rest, found, owner)
        if surplus:
            yield self._surplus(surplus, clip)

    def _entries(self, folder: str) -> list[tuple[str, bool]]:
        """Names in a folder and whether they are folders, sorted."""
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted(
                    (entry.name, entry.is_dir())
                    for entry in entries
                    if not entry.name.startswith('.')
                    and entry.name not in _IGNORED
                )
        except OSError:
            # Not there, or no folder: its files are reported as missing.
            return []

    def _regex(self, part: str, fields: Mapping[str, str]) -> str:
        """Pattern of the names at one level."""
        values = dict(
            k=r'\d+',
            split='|'.join(SPLITS),
            subset='|'.join(map(re.escape, self.setting.layout.subsets)),
        )
        regex = re.escape(part)
        for name in pattern_fields(part):
            if name in fields:
                value = re.escape(fields[name])
            else:
                value = f'(?P<{name}>{values.get(name, ".+")})'
            regex = regex.replace(re.escape(f'{{{name}}}'), value)
        if self.key == 'log_mel_path':
            regex = re.sub(r'\\\.pkl$', lambda _: _LOG_MEL_SUFFIX, regex)
        return regex

    def _owner(
        self, path: str, fields: Mapping[str, str]
    ) -> tuple[Problem | None, Mapping[str, str]]:
        """Find the clip that a path belongs to, or say that there is none."""
        video_id = fields['video_id']
        named = self.by_id.get(video_id, ())
        if not named:
            message = f'{path}: {self.setting.layout.csv_name} has no such id'
            problem = Problem.of('not_in_csv', path, message, video_id)
            return problem, {}
        for clip in named:
            if all(clip.get(name) in (None, v) for name, v in fields.items()):
                return None, clip
        places = ', '.join(
            self.setting.layout.path(self.key, clip) for clip in named
        )
        message = f'{path}: by the CSV it belongs to {places}'
        return Problem.of('unexpected_file', path, message, video_id), {}

    def _numbers(self, clip: Mapping[str, str]) -> Sequence[int]:
        """Numbers of the frames or masks that a clip has."""
        layout = self.setting.layout
        if self.key == 'img_path':
            return layout.frame_numbers(clip)
        return layout.labelled_numbers(clip)

    def _surplus(
        self, paths: Sequence[str], clip: Mapping[str, str]
    ) -> Problem:
        """Report frames or masks with numbers that a clip does not have."""
        kind = 'frame_count' if self.key == 'img_path' else 'unexpected_file'
        video_id = clip['video_id']
        message = (
            f'{paths[0]}: {len(paths)} more than the '
            f'{len(self._numbers(clip))} of {video_id}'
        )
        return Problem.of(kind, paths[0], message, video_id)

    def _unfit(self, path: str, clip: Mapping[str, str]) -> Problem:
        pattern = self.setting.layout.patterns[self.key]
        message = f'{path} does not fit into {pattern}'
        video_id = clip.get('video_id', '')
        return Problem.of('unexpected_file', path, message, video_id)
