"""PURE. Mutants that change no answer, reviewed one by one: nobody draws them.

A mutation score counts what the tests see of what can be seen (R. A. DeMillo, R. J. Lipton and
F. G. Sayward, "Hints on test data selection", 1978). Of what stands here it was found by reading
that no answer, row, error or metric depends on it, with the reason. It is named by the text of its
line, so that a line that changes is looked at again; and a test holds that each line exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.mutation.mutants import Mutant

AGGREGATOR: Final = "services/aggregator"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a module, by its text, and what changes of it change no answer.

    ``changes`` are a mutant's kind, or its kind and what it puts there: `number`, `comparison >=`.
    """

    module: str
    text: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some mutants change no answer: of constants, by module and name, and of lines."""

    why: str
    constants: tuple[tuple[str, str], ...] = ()
    lines: tuple[Line, ...] = ()


def _constants(module: str, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{AGGREGATOR}/{module}.py", name) for name in names)


def _line(module: str, text: str, *changes: str) -> Line:
    return Line(f"{AGGREGATOR}/{module}.py", text, changes)


REASONS: Final = (
    Reason(
        "Room that arrays begin with, and how they grow: they hold the same, whatever is free",
        constants=(
            *_constants("arrays/key_index", "SLOTS_MIN"),
            *_constants("arrays/seen_table", "CAPACITY_MIN", "SLOTS_PER_PLACE"),
            *_constants("core/series_limit", "CAPACITY_MIN"),
            *_constants("core/slices", "CAPACITY_MIN"),
            *_constants("decoding/gateways", "ROOM_MIN"),
            *_constants("decoding/labels", "ROOM_MIN"),
            *_constants("decoding/phrases", "CAPACITY_MIN"),
        ),
        lines=(
            _line(
                "arrays/key_index",
                "self._shift = np.uint64(64 - (slots.bit_length() - 1))",
                "number",
            ),
            _line(
                "arrays/key_index",
                "self._make_slots(1 << (4 * self._count - 1).bit_length())",
                "number",
                "arithmetic +",
            ),
            _line(
                "arrays/seen_table",
                "self._allocate(1 << (3 * (count + more) // 2).bit_length())",
                "number",
            ),
            _line(
                "core/series_limit",
                "grown = np.zeros(max(2 * len(self._kinds), series + 1), np.int8)",
                "number",
                "arithmetic +",
            ),
            _line(
                "core/slices",
                "self._move(slice(used), max(2 * len(self._keys), used + len(new)))",
                "number",
                "arithmetic +",
            ),
            _line(
                "core/slices",
                "self._move(kept, max(CAPACITY_MIN, 2 * len(kept)))",
                "number",
                "arithmetic +",
            ),
            _line("decoding/label_texts", "self._numbers: Ints = np.zeros(0, np.int64)", "number"),
            _line(
                "decoding/phrases",
                "self._words = np.zeros((0, CAPACITY_MIN), np.uint64)",
                "number",
            ),
            _line(
                "decoding/phrases",
                "more = 0 if texts <= columns else max(columns, texts - columns)",
                "number",
            ),
        ),
    ),
    Reason(
        "How many are worked on at once: chosen for speed, all are worked on",
        constants=(
            *_constants("arrays/byte_spans", "_PIECE_BYTES"),
            *_constants("arrays/id_filter", "IDS_AT_ONCE"),
            *_constants("arrays/murmur2", "LENGTH_MAX"),
            *_constants("decoding/canonical", "ID_WORDS", "NAME_WORDS"),
            *_constants("decoding/record_batch", "JOINED_BYTES_MAX"),
            *_constants("decoding/record_starts", "_PIECE_BYTES"),
            *_constants("storage/copy_pieces", "PIECE_BYTES"),
            *_constants("storage/copy_rows", "PIECES_AT_ONCE"),
            *_constants("storage/reader", "LOOK_UP_KEYS_MAX"),
            *_constants("storage/run_file", "PROBES_MAX", "BLOCKS_AT_ONCE"),
            *_constants("storage/run_merge", "IDS_AT_ONCE"),
        ),
        lines=(
            _line(
                "arrays/byte_spans",
                "def words_at(self, places: Ints, count: int = 1) -> Words:",
                "number",
            ),
            _line(
                "arrays/murmur2",
                "words = keys.buffer.words_at(keys.starts[rows], max(1, -(-length // WORD)))",
                "number",
            ),
            _line("decoding/record_batch", "if len(groups) < len(batches):", "comparison"),
            _line(
                "decoding/record_batch",
                "small = max(len(one.raw), len(next_.raw)) <= JOINED_BYTES_MAX",
                "comparison <",
            ),
            _line(
                "decoding/canonical",
                'words = ID_WORDS if name == "id" else NAME_WORDS',
                "comparison",
                "condition",
            ),
            _line(
                "decoding/forms",
                'words = ID_WORDS if name == "id" else NAME_WORDS',
                "comparison",
                "condition",
            ),
            _line(
                "storage/run_file",
                "upto = min(blocks, -(-(at + size) // block_bytes))",
                "arithmetic *",
            ),
            _line(
                "storage/run_merge",
                "steps = max(1, -(-sum(run.stretch.count for run in runs) // IDS_AT_ONCE))",
                "number",
            ),
        ),
    ),
    Reason(
        "Limits chosen by measuring: tests hold what happens at the limit, whatever it is",
        constants=(
            *_constants("arrays/cuts", "CUTS_MAX"),
            *_constants("core/dead_letters", "_LETTER_BYTES"),
            *_constants("core/kept_events", "_EVENT_BYTES"),
            *_constants("core/pacing", "CATCHING_UP_RECORDS"),
            *_constants("core/runs", "FAN_IN", "SMALL_IDS"),
            *_constants("decoding/columns", "GATEWAYS_MAX", "TEXTS_MAX"),
            *_constants("decoding/forms", "TEXT_BYTES_MAX", "FORM_BYTES_MAX", "NARROWED_BELOW"),
            *_constants("decoding/record_starts", "_REPAIRS_MAX"),
            *_constants("kafka/transport", "FETCH_WAIT_MS"),
            *_constants("meter", "UNWRITTEN_IDS_MAX", "HELD_BYTES_MAX"),
            *_constants("storage/seen_store", "SPARE_PLACES"),
        ),
    ),
    Reason(
        "When a form of events is looked for, preferred or forgotten: an event is read the same by"
        " its form and by the decoder",
        constants=_constants(
            "decoding/known_forms",
            *("FORMS_MAX", "EVENTS_MIN", "WIDENED_MIN", "LOOKED_AT_MAX", "EVENTS_A_LOOK"),
            *("LOOKS_MAX", "COST_OF_A_TRY", "COST_OF_AN_EVENT", "SAVED_BY_A_HIT", "COST_MAX"),
            *("TRIED_MIN", "FADING_EVENTS", "FADING"),
        ),
        lines=(
            _line(
                "decoding/known_forms",
                "if len(openings) > len(set(openings)):",
                "condition",
                "comparison",
            ),
            _line(
                "decoding/known_forms",
                "if known.cost > max(COST_MAX, SAVED_BY_A_HIT * known.used):",
                "arithmetic +",
                "comparison >=",
            ),
        ),
    ),
    Reason(
        "Constants that mix bits or tell numbers apart, in memory only: others are as good",
        constants=(
            *_constants("arrays/key_index", "SPREAD", "_FREE"),
            *_constants("arrays/seen_table", "FREE"),
            *_constants("core/slice_keys", "SERIES_BITS"),
            *_constants("decoding/label_texts", "PAIR_BITS"),
            *_constants("decoding/labels", "SERIES_BITS"),
            *_constants("decoding/phrases", "_DOWN"),
            *_constants("storage/seen_place", "TOKEN_BITS"),
            *_constants("watchdog", "NO_STATE"),
        ),
    ),
    Reason(
        "More is looked at than has to be, and what looks at it is exact",
        lines=(
            _line("core/judging", "| (append_ms - time_ms > rules.too_old_ms)", "comparison >="),
            _line("core/judging", "| (time_ms - log_ms > rules.too_new_ms)", "comparison >="),
            _line("core/judging", "| (time_ms < TIME_MS_MIN)", "comparison <="),
            _line(
                "core/kept_events",
                "late: Flags = columns.append_ms - 1000 * columns.seconds > BELATED_AFTER_MS",
                "arithmetic +",
            ),
            # Equal ids are equal in either half.
            _line("core/dedup", "halves = np.sort(ids[:, 0])", "number"),
            # Stretches of no run: too few to be merged.
            _line("core/runs", "if number > first:", "comparison >="),
        ),
    ),
    Reason(
        "Any negative number does: NumPy takes each for the length that is left, and a handle or a"
        " place below 0 is none",
        lines=(
            _line(
                "storage/run_format",
                'blocks["high"].reshape(-1)[:count].astype(np.uint64),',
                "number",
            ),
            _line(
                "storage/run_format",
                'blocks["low"].reshape(-1)[:count].astype(np.uint64),',
                "number",
            ),
            _line(
                "storage/run_format",
                'blocks["time"].reshape(-1)[:count].astype(np.int64) + described.stretch.first_ms,',
                "number",
            ),
            _line("storage/store_files", "self._handle = -1", "number"),
            _line(
                "arrays/key_index",
                "places = np.where(held == keys, self._places[slots], -1)",
                "number",
            ),
            _line(
                "arrays/seen_table",
                "times = np.where(found.places >= self._first, self._last_ms[found.places], -1)",
                "number",
            ),
            _line(
                "decoding/known_forms",
                "np.where(part.found.good, part.rows, -1), places, return_indices=True",
                "number",
            ),
            _line(
                "decoding/label_texts",
                "return np.where(together >= 0, self._numbers[together], -1)",
                "number",
            ),
            _line(
                "decoding/label_texts",
                "together = np.where(both, index.find(pairs), -1)",
                "number",
            ),
            _line("decoding/phrases", "return np.full(len(starts), -1)", "number"),
            _line("decoding/phrases", "return np.where(same, self._numbers[places], -1)", "number"),
            _line("storage/seen_place", "times_ms = np.full(len(ids), -1)", "number"),
            _line("storage/seen_store", "return np.full(len(ids), -1)", "number"),
        ),
    ),
    Reason(
        "Said to people only, in the log",
        lines=(
            _line("storage/retry", "failures = 0", "number"),
            _line("storage/retry", "failures += 1", "number", "left out"),
            _line("storage/retry", "if failures:", "condition"),
            _line(
                "storage/seen_place",
                "if any(path.suffix != UNFINISHED for path in others):",
                "comparison",
                "condition",
            ),
        ),
    ),
    Reason(
        "Nobody reads it: the time of a batch as a message of Faust's, and from where on an empty"
        " place, or a family that is never evicted, is looked at",
        lines=(
            _line(
                "kafka/transport",
                "(int(records.append_ms[-1]) if len(records) else 0) / 1000,",
                "number",
            ),
            _line(
                "storage/seen_store",
                "place = self._stores.place(self._partition, None, 0)",
                "number",
            ),
            _line(
                "storage/seen_store",
                "another = self._stores.place(self._partition, None, 0)",
                "number",
            ),
            _line(
                "core/slices",
                "family.name: FamilySlices(family, loaded_from_ms.get(family.name, 0))",
                "number",
            ),
        ),
    ),
    Reason(
        "Who is doubted is looked at closer, and judged there",
        lines=(
            _line("core/judging", "| (append_ms - time_ms > rules.too_old_ms)", "comparison >="),
            _line("core/judging", "| (time_ms - log_ms > rules.too_new_ms)", "comparison >="),
            _line("core/judging", "| (time_ms < TIME_MS_MIN)", "comparison <="),
            _line(
                "core/judging", "found |= summed(parts) > measures[:, PLACE[total]]", "comparison"
            ),
            _line(
                "core/judging",
                "found |= summed(PRICED_APART) - summed(COUNTED_TWICE) > measures[:, INPUT]",
                "comparison",
            ),
            _line("core/judging", "few = width <= USUAL", "comparison"),
        ),
    ),
    Reason(
        "The long way, or one step more of it, says the same",
        lines=(
            _line(
                "arrays/byte_spans",
                "if np.any((piece[:-_SEVENTH] == _POINT) & (piece[_SEVENTH:] - _ZERO < 10)):",
                "number",
            ),
            _line(
                "arrays/byte_spans",
                "for _ in range(WORD * words, most + 1, WORD):",
                "number",
            ),
            _line("arrays/seen_table", "if self._count <= most:", "comparison <"),
            _line(
                "agent",
                "if end is not None and end < batch.next_offset:",
                "comparison <=",
            ),
            _line("agent", "if end <= batch.first_offset:", "comparison <"),
            _line(
                "core/runs",
                "for level in range(max((level_of(run) for run in runs), default=0) + 1):",
                "number",
            ),
            _line(
                "core/slices",
                "if self.family.window_ms is None or before <= self.loaded_from:",
                "comparison <",
            ),
            _line(
                "core/slices",
                "if np.count_nonzero(keep) > used * 3 // 4:",
                "comparison",
                "number",
                "arithmetic",
            ),
            _line("decoding/canonical_times", "words = buffer.words_at(places, 4)", "number"),
            _line(
                "arrays/sorted_ids",
                "places = np.uint64((1 << len(hashes).bit_length()) - 1)",
                "number",
            ),
            _line(
                "core/partition",
                "if fresh == len(records) or"
                " records.append_ms[fresh] >= self.checkpoint.last_append_ms:",
                "comparison >",
            ),
            _line(
                "decoding/forms",
                "rows = rows[self.good[rows] & ~here[rows]]",
                "arithmetic |",
            ),
            _line(
                "decoding/forms",
                "return np.where(self.good, start, 0), np.where(self.good, end - start, 0)",
                "number",
            ),
            _line("storage/run_file", "if size < TAIL_BYTES:", "comparison <="),
            _line(
                "storage/slice_blocks",
                "np.asarray(column).tolist() if name in NUMBERS else column",
                "condition",
                "comparison",
            ),
        ),
    ),
)
_NAME: Final = re.compile(r"(_?[A-Z][A-Z0-9_]*)(: Final)? = ")


def why_equivalent(mutant: Mutant, text: str) -> str | None:
    """Why a mutant of a module with this text changes no answer; None where that is not known."""
    line = text.splitlines()[mutant.line - 1]
    constant = _NAME.match(line)
    for reason in REASONS:
        if constant and (mutant.file, constant[1]) in reason.constants:
            return reason.why
        for known in reason.lines:
            if (known.module, known.text) == (mutant.file, line.strip()) and (
                mutant.kind in known.changes or f"{mutant.kind} {mutant.new}" in known.changes
            ):
                return reason.why
    return None


def stale(texts: dict[str, str]) -> Iterable[str]:
    """What is named here and not there any more; ``texts`` are the modules'."""
    for reason in REASONS:
        for module, name in reason.constants:
            lines = texts.get(module, "").splitlines()
            if not any((found := _NAME.match(line)) and found[1] == name for line in lines):
                yield f"{module}: {name}"
        for known in reason.lines:
            lines = [line.strip() for line in texts.get(known.module, "").splitlines()]
            if known.text not in lines:
                yield f"{known.module}: {known.text}"
