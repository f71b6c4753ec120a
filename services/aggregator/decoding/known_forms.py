"""PURE. The forms that events come in, those learnt as they come included, and their labels.

A form is tried in the order of how many events were of it lately, so that each event is mostly
read once. Which forms are known changes how fast events are read, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Buffer, Flags, Literal
from services.aggregator.arrays.frames import Frames
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding import canonical
from services.aggregator.decoding.forms import GATEWAY, SERIES, Form, learn, merged, runs
from services.aggregator.decoding.found import Found
from services.aggregator.decoding.label_texts import LabelTexts

#: Forms known at once, the canonical one besides; of more, the least used is forgotten.
FORMS_MAX: Final = 16
#: So many events at once must be of a form before it is learnt.
EVENTS_MIN: Final = 16
#: Events looked at for new forms, each time.
SAMPLES_MAX: Final = 4
#: What counts for how often a form is used: half of what was, and what is new.
FADING: Final = 0.5


@dataclass(slots=True, eq=False)
class KnownForm:
    """A form, with the labels that were met in it and how many events were of it lately."""

    opening: Literal
    begins: Callable[[Buffer, Ints], Flags]
    read: Callable[[Buffer, Ints, Ints], Found]
    gateways: LabelTexts
    series: LabelTexts
    used: float = 0.0


@dataclass(slots=True)
class Part:
    """Events of one form: their rows among all, what was read, and what their labels say.

    Numbers of labels that are not known are -1.
    """

    form: KnownForm
    rows: Ints
    found: Found
    gateways: Ints
    series: Ints


class KnownForms:
    """The canonical form, and those that were learnt."""

    def __init__(self) -> None:
        self._forms = [_canonical()]
        self._learnt: list[tuple[Form, KnownForm]] = []

    def forget_labels(self) -> None:
        """Forget all labels, which fill the memory, and keep the forms."""
        forms = [form for form, _ in self._learnt]
        self._forms, self._learnt = [_canonical()], []
        for form in forms:
            self._add(form)

    def read(self, frames: Frames) -> Iterator[Part]:
        """Read the events of each form; those of none are in no part."""
        rest = np.arange(len(frames))
        openings = [form.opening.text for form in self._forms]
        for form in sorted(self._forms, key=lambda form: -form.used):
            form.used *= FADING
            if not len(rest):
                continue
            rows = _chosen(rest, form.opening.at(frames.buffer, frames.starts[rest]))
            if len(openings) > len(set(openings)):
                # Others begin alike: a second look is cheaper than to read all of them in vain.
                rows = _chosen(rows, form.begins(frames.buffer, frames.starts[rows]))
            if not len(rows):
                continue
            found = form.read(frames.buffer, frames.starts[rows], frames.ends[rows])
            form.used += np.count_nonzero(found.good)
            yield Part(
                form,
                rows,
                found,
                form.gateways.find(frames.buffer, found.gateways),
                form.series.find(frames.buffer, found.series),
            )
            left = np.ones(len(frames), np.bool_)
            left[rows[found.good]] = False
            rest = rest[left[rest]]

    def learn(self, frames: Frames, rows: Ints) -> None:
        """Learn forms of valid events that are of none."""
        for _ in range(SAMPLES_MAX):
            if len(rows) < EVENTS_MIN:
                return
            (sample,) = frames.values(rows[:1])
            form = learn(sample)
            if form is None:
                rows = rows[1:]
                continue
            widened = self._widen(form)
            good = (
                (widened or form).read(frames.buffer, frames.starts[rows], frames.ends[rows]).good
            )
            if widened is None and np.count_nonzero(good) >= EVENTS_MIN:
                self._add(form)
            # The sample itself may have what no form takes, such as a number of eight digits.
            good[0] = True
            rows = rows[~good]

    def _widen(self, form: Form) -> Form | None:
        """Make a known form of the same writer one that reads events of this form as well."""
        for number, (learnt, known) in enumerate(self._learnt):
            both = merged(learnt, form)
            if both is not None:
                wider = _known(both)
                if _stretches(both) == _stretches(learnt):
                    wider.gateways, wider.series = known.gateways, known.series
                wider.used = known.used
                self._learnt[number] = both, wider
                self._forms[self._forms.index(known)] = wider
                return both
        return None

    def _add(self, form: Form) -> None:
        if len(self._learnt) == FORMS_MAX:
            least = min(self._learnt, key=lambda pair: pair[1].used)
            self._learnt.remove(least)
            self._forms.remove(least[1])
        known = _known(form)
        self._learnt.append((form, known))
        self._forms.append(known)


def _stretches(form: Form) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """In which stretches source and tenant are, and region, provider and model."""
    return runs(form.steps, GATEWAY), runs(form.steps, SERIES)


def _known(form: Form) -> KnownForm:
    gateways, series = _stretches(form)
    return KnownForm(
        form.opening,
        form.begins,
        form.read,
        LabelTexts(len(gateways)),
        LabelTexts(len(series)),
    )


def _canonical() -> KnownForm:
    return KnownForm(
        canonical.OPENING, canonical.begins, canonical.read, LabelTexts(1), LabelTexts(1)
    )


def _chosen(rows: Ints, here: Flags) -> Ints:
    return rows if here.all() else rows[here]


def of_no_form(parts: Iterable[Part], places: Ints) -> Flags:
    """Say which of these rows, ascending, were read in none of the parts."""
    left = np.ones(len(places), np.bool_)
    for part in parts:
        left &= ~np.isin(places, part.rows[part.found.good], assume_unique=True)
    return left


def learn_labels(
    buffer: Buffer, parts: Iterable[Part], places: Ints, gateways: Ints, series: Ints
) -> None:
    """Know the labels of the events that were read, of those whose rows are ``places``."""
    for part in parts:
        _, here, at = np.intersect1d(
            np.where(part.found.good, part.rows, -1), places, return_indices=True
        )
        for texts, stretches, numbers in (
            (part.form.gateways, part.found.gateways, gateways),
            (part.form.series, part.found.series, series),
        ):
            cut = [(starts[here], lengths[here]) for starts, lengths in stretches]
            texts.learn(buffer, cut, numbers[at])
