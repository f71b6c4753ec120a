"""PURE. The forms that events come in, those learnt as they come included, and their labels.

A form is tried in the order of how many events were of it lately, so that each event is mostly
read once. Which forms are known changes how fast events are read, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
FORMS_MAX: Final = 8
#: So many of the events looked at must be of a form before it is learnt, ...
EVENTS_MIN: Final = 16
#: ... and so many before a form of the same writer is made to take them as well.
WIDENED_MIN: Final = 2
LOOKED_AT_MAX: Final = 256
#: A look for a form costs little beside reading so many events one by one. Looks can be saved.
EVENTS_A_LOOK: Final = 4000
LOOKS_MAX: Final = 16
#: What a form costs and saves, in events read one by one: to try it at all, to try it on an event,
#: and when it reads one. One that costs more than it saves is forgotten, when it cost so much.
COST_OF_A_TRY: Final = 60
COST_OF_AN_EVENT: Final = 0.1
SAVED_BY_A_HIT: Final = 0.7
COST_MAX: Final = 300
#: Fewer events are read faster one by one than many at a time.
TRIED_MIN: Final = 64
#: After so many events only half of what was counts for how often a form is used.
FADING_EVENTS: Final = 2000
FADING: Final = 0.5


class KnownForm:
    """A form, with the labels met in it, how many events were of it lately, and what it cost."""

    def __init__(self, form: Form | None) -> None:
        #: None is the canonical one.
        self.form = form
        self.used = self.cost = 0.0
        self.forget_labels()

    def forget_labels(self) -> None:
        """Know no label."""
        gateways, series = (1, 1) if self.form is None else map(len, _stretches(self.form))
        self.gateways, self.series = LabelTexts(gateways), LabelTexts(series)

    @property
    def opening(self) -> Literal:
        """What each of its events begins with."""
        return canonical.OPENING if self.form is None else self.form.opening

    def begins(self, buffer: Buffer, starts: Ints) -> Flags:
        """Say which events that open like its own may be its own."""
        return (canonical if self.form is None else self.form).begins(buffer, starts)

    def read(self, buffer: Buffer, starts: Ints, ends: Ints) -> Found:
        """Read the events that lie between these places of a buffer."""
        return (canonical if self.form is None else self.form).read(buffer, starts, ends)


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
        self._forms = [KnownForm(None)]
        self._looks = float(LOOKS_MAX)
        self._since_fading = 0

    @property
    def texts(self) -> int:
        """How many texts of labels are known, of all forms together."""
        return sum(len(form.gateways) + len(form.series) for form in self._forms)

    def forget_labels(self) -> None:
        """Forget all labels, which fill the memory, and keep the forms."""
        for known in self._forms:
            known.forget_labels()

    def read(self, frames: Frames) -> Iterator[Part]:
        """Read the events of each form; those of none are in no part."""
        rest = np.arange(len(frames))
        openings = [form.opening.text for form in self._forms]
        for form in sorted(self._forms, key=lambda form: -form.used):
            least = 1 if form.form is None else TRIED_MIN
            if len(rest) < least:
                continue
            rows = _chosen(rest, form.opening.at(frames.buffer, frames.starts[rest]))
            if len(openings) > len(set(openings)):
                # Others begin alike: a second look is cheaper than to read all of them in vain.
                rows = _chosen(rows, form.begins(frames.buffer, frames.starts[rows]))
            if len(rows) < least:
                continue
            found = form.read(frames.buffer, frames.starts[rows], frames.ends[rows])
            form.used += np.count_nonzero(found.good)
            form.cost += COST_OF_A_TRY + COST_OF_AN_EVENT * len(rows)
            yield Part(
                form,
                rows[found.rows],
                found,
                form.gateways.find(frames.buffer, found.gateways),
                form.series.find(frames.buffer, found.series),
            )
            left = np.ones(len(frames), np.bool_)
            left[rows[found.rows[found.good]]] = False
            rest = rest[left[rest]]
        self._forget_idle(len(frames))

    def learn(self, frames: Frames, rows: Ints) -> None:
        """Learn forms of valid events that are of none, if not too many were looked at in vain."""
        self._looks = min(LOOKS_MAX, self._looks + len(rows) / EVENTS_A_LOOK)
        while self._looks >= 1 and len(rows) >= EVENTS_MIN:
            self._looks -= 1
            (sample,) = frames.values(rows[:1])
            form = learn(sample)
            if form is None:
                rows = rows[1:]
                continue
            self._consider(form, frames, rows)
            read = form.read(frames.buffer, frames.starts[rows], frames.ends[rows])
            left = np.ones(len(rows), np.bool_)
            left[read.rows[read.good]] = False
            # The sample itself may have what no form takes, such as a number of eight digits.
            left[0] = False
            rows = rows[left]

    def _consider(self, form: Form, frames: Frames, rows: Ints) -> None:
        """Know a form, or make one of the same writer take its events, if enough of them are."""
        looked_at = rows[:LOOKED_AT_MAX]

        def count(form: Form) -> int:
            found = form.read(frames.buffer, frames.starts[looked_at], frames.ends[looked_at])
            return int(np.count_nonzero(found.good))

        for known in self._forms:
            if known.form is None:
                continue
            both = merged(known.form, form)
            # Labels that are in other stretches would all have to be learnt again.
            if both is not None and _stretches(both) == _stretches(known.form):
                if count(both) >= WIDENED_MIN:
                    known.form = both
                return
        events = count(form)
        if events < EVENTS_MIN:
            return
        learnt = self._learnt()
        if len(learnt) == FORMS_MAX:
            least = min(learnt, key=lambda known: known.used)
            # One as good as another stays: with the form its labels would go.
            if 2 * least.used > events * len(rows) / len(looked_at):
                return
            self._forms.remove(least)
        self._forms.append(KnownForm(form))

    def _forget_idle(self, events: int) -> None:
        for known in self._learnt():
            if known.cost > max(COST_MAX, SAVED_BY_A_HIT * known.used):
                self._forms.remove(known)
        self._since_fading += events
        if self._since_fading >= FADING_EVENTS:
            self._since_fading = 0
            for form in self._forms:
                form.used, form.cost = FADING * form.used, FADING * form.cost

    def _learnt(self) -> list[KnownForm]:
        return [known for known in self._forms if known.form is not None]


def _stretches(form: Form) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """In which stretches source and tenant are, and region, provider and model."""
    return runs(form.steps, GATEWAY), runs(form.steps, SERIES)


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
