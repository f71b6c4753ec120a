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


@dataclass(slots=True, eq=False)
class KnownForm:
    """A form, with the labels met in it, how many events were of it lately, and what it cost."""

    opening: Literal
    begins: Callable[[Buffer, Ints], Flags]
    read: Callable[[Buffer, Ints, Ints], Found]
    gateways: LabelTexts
    series: LabelTexts
    used: float = 0.0
    cost: float = 0.0


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
        self._looks = float(LOOKS_MAX)
        self._since_fading = 0

    @property
    def texts(self) -> int:
        """How many texts of labels are known, of all forms together."""
        return sum(len(form.gateways) + len(form.series) for form in self._forms)

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
            least = 1 if form is self._forms[0] else TRIED_MIN
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

        for number, (learnt, known) in enumerate(self._learnt):
            both = merged(learnt, form)
            # Labels that are in other stretches would all have to be learnt again.
            if both is not None and _stretches(both) == _stretches(learnt):
                if count(both) >= WIDENED_MIN:
                    wider = _known(both)
                    wider.gateways, wider.series = known.gateways, known.series
                    wider.used, wider.cost = known.used, known.cost
                    self._learnt[number] = both, wider
                    self._forms[self._forms.index(known)] = wider
                return
        events = count(form)
        if events < EVENTS_MIN:
            return
        if len(self._learnt) == FORMS_MAX:
            least = min(self._learnt, key=lambda pair: pair[1].used)
            # One as good as another stays: with the form its labels would go.
            if 2 * least[1].used > events * len(rows) / len(looked_at):
                return
            self._forget(least)
        self._add(form)

    def _add(self, form: Form) -> None:
        known = _known(form)
        self._learnt.append((form, known))
        self._forms.append(known)

    def _forget_idle(self, events: int) -> None:
        for pair in list(self._learnt):
            if pair[1].cost > max(COST_MAX, SAVED_BY_A_HIT * pair[1].used):
                self._forget(pair)
        self._since_fading += events
        if self._since_fading >= FADING_EVENTS:
            self._since_fading = 0
            for form in self._forms:
                form.used, form.cost = FADING * form.used, FADING * form.cost

    def _forget(self, pair: tuple[Form, KnownForm]) -> None:
        self._learnt.remove(pair)
        self._forms.remove(pair[1])


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
