"""Records as text, right and wrong: what a log may hold beside what `schemas.wire` writes.

Fields are in the order of the schema, each a name and the text of its value.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from schemas.event_rules import DURATION_MS_MAX, TOKENS_MAX
from schemas.price_class import SERVICE_TIERS
from services.aggregator.decoding.canonical import CLOSER, SUBSETS

Fields = list[tuple[bytes, bytes]]

PLAIN: Final = "".join(chr(code) for code in range(0x20, 0x80) if chr(code) not in '"\\')
#: Around the ends of words and of what is looked at first, and of what is allowed.
LENGTHS: Final = (1, 2, 7, 8, 9, 15, 16, 17, 24, 32, 36, 39, 40, 41, 63, 64, 127, 128)
#: Few, so that they repeat; ("aa", "b") and ("a", "ab") are one text when joined.
LABELS: Final = (b'"a"', b'"b"', b'"aa"', b'"ab"', b'"tenant-1"', b'"openai/gpt-4.1"', b'"x y"')
NAMES: Final = (b"id", b"source", b"tenant", b"region", b"provider", b"model")
SUBSET_NAMES: Final = tuple(name.encode() for name in SUBSETS)
CLOSER_NAMES: Final = tuple(name.encode() for name in CLOSER)
TIERS: Final = tuple(f'"{tier}"'.encode() for tier in SERVICE_TIERS)

TIMES: Final = tuple(
    f'"{date}T{clock}{fraction}{zone}"'.encode()
    for date in ("2000-01-01", "2024-02-29", "2026-03-15", "2026-12-31", "2099-12-31")
    for clock in ("00:00:00", "12:34:56", "23:59:59")
    for fraction in ("", ".250", ".000001", ".999999")
    for zone in ("Z", "Z", "+00:00")
)
NUMBERS: Final = (b"0", b"1", b"7", b"10", b"100", b"1234", b"9999999")

ODD_NAMES: Final = tuple(
    b'"' + text + b'"'
    for text in (
        *(b"", b" ", b"\x7f", b"\0", b"\n", b"\x1f", b"a\0", b"\x80", b"\xff", b"\xc3", b"\xc0"),
        *("é".encode(), ("é" * 128).encode(), ("😀" * 128).encode(), ("é" * 129).encode()),
        *(b"a" * 129, b"a" * 130, b"a" * 136, b"a" * 137, b"a" * 300, b"a" * 2000, b"\x7f" * 128),
        *(b'\\"', b"\\\\", b"a\\u0041", b"\\n", b"\\ud800", b"\\ud83d\\ude00", b"\\x", b"\\"),
        *(b'a"', b'"', b'a","tenant":"b', b'a","model":"b', b'{\\"id\\":\\"x\\"}'),
        b'b","source":"a","tenant":"b","time":"2026-01-01T00:00:00Z","region":"r',
    )
)
ODD_NUMBERS: Final = (
    *(b"00", b"01", b"007", b"0123456", b"-0", b"-1", b"+1", b"1.0", b"1.5", b"0.0", b".5", b"5."),
    *(b"1e3", b"1E3", b"1e", b"10000000", b"12345678", b"99999999", b"123456789", b"null", b"true"),
    *(str(TOKENS_MAX).encode(), str(TOKENS_MAX + 1).encode(), b"9007199254740993"),
    *(b"9223372036854775808", b"18446744073709551616", b'"5"', b"", b" 5", b"5 ", b"0x10", b"1_0"),
    *("٣".encode(), b"NaN", b"[5]", b"5\0", b"\x005", b"5\xff", b"5\xb5", b"5/", b"5:", b"::"),
)
ODD_TIMES: Final = tuple(
    b'"' + text + b'"'
    for text in (
        *(b"2025-02-29T12:00:00Z", b"2026-02-29T12:00:00Z", b"2024-02-30T12:00:00Z"),
        *(b"2026-04-31T12:00:00Z", b"2026-01-32T12:00:00Z", b"2026-01-00T12:00:00Z"),
        *(b"2026-00-10T12:00:00Z", b"2026-13-10T12:00:00Z", b"2100-02-29T12:00:00Z"),
        *(b"2000-02-29T12:00:00Z", b"1999-12-31T23:59:59Z", b"1999-12-31T23:59:59.999999Z"),
        *(b"2100-01-01T00:00:00Z", b"2101-05-05T05:05:05.5Z", b"0001-01-01T00:00:00Z"),
        *(b"2026-03-15T24:00:00Z", b"2026-03-15T23:60:00Z", b"2026-03-15T23:59:60Z"),
        *(b"2026-03-15t12:00:00Z", b"2026-03-15T12:00:00z", b"2026-03-15 12:00:00Z"),
        *(b"2026-03-15T12:00:00+00:00", b"2026-03-15T12:00:00-00:00", b"2026-03-15T12:00:00"),
        *(b"2026-03-15T12:00:00+05:30", b"2026-03-15T12:00:00.250+00:00", b"2026-03-15T12:00Z"),
        *(b"2026-03-15T12:00:00.Z", b"2026-03-15T12:00:00.1Z", b"2026-03-15T12:00:00.12Z"),
        *(b"2026-03-15T12:00:00.1234Z", b"2026-03-15T12:00:00.12345Z", b"2026-03-15T12:00:00.-12Z"),
        *(b"2026-03-15T12:00:00.1234567Z", b"2026-03-15T12:00:00.9999999Z", b"2026-03-15"),
        *(b"2026-03-15T12:00:00.123456789Z", b"2026-03-15T12:00:00.12ZZ", b"2026-03-15T12:00:00ZZ"),
        *(b"2026-03-15T12:00:00.1Z3Z", b"2026-03-15T12:00:00.123Z56Z", b"2026-03-15T12:00:00,250Z"),
        *(b"2026-03-15T12:00:00Z ", b" 2026-03-15T12:00:00Z", b"2026-3-15T12:00:00Z", b""),
        *(b"+026-03-15T12:00:00Z", b"2026-03-15T12:00:0:Z", b"2026/03/15T12:00:00Z"),
        *(b"2026-03-15T12-00-00Z", b"202:-03-15T12:00:00Z", b"2026-03-15T1\xb2:00:00Z"),
    )
)
ODD_WORDS: Final = (
    *(b'"ok"', b'"error"', b'"measured"', b'"estimated"', b'"OK"', b'"ok "', b'"o\\u006b"'),
    *(b'""', b"null", b"0", b'"errors"', b'"usage"', b'"debit"', b'"ok","status":"error"'),
    *(b'"batch"', b'"Batch"', b'"batch"flex"', b'"batch","service_tier":"flex"', b'"batc'),
    b'"flex","service_tier":"batch"',
)
ANYTHING: Final = (b"null", b"true", b"[]", b"{}", b'"a"', b"1", b"", b'"', b"{", b"\xff")
OTHER_KEYS: Final = (b"Id", b"", b"id ", b"\\u0069d", b"prompt_tokens", b"entry", b"adjusts", b"\0")
ODD: Final = {
    **dict.fromkeys(NAMES, ODD_NAMES),
    b"time": ODD_TIMES,
    **dict.fromkeys((b"input_tokens", b"output_tokens", *SUBSET_NAMES, *CLOSER_NAMES), ODD_NUMBERS),
    b"duration_ms": (*ODD_NUMBERS, str(DURATION_MS_MAX).encode(), b"2592000001"),
    **dict.fromkeys((b"status", b"quality", b"service_tier"), ODD_WORDS),
    **{b"entry": (b'"usage"', b'"debit"', b'"credit"', b"null"), b"adjusts": ODD_NAMES},
    b"reason": ODD_NAMES,
}


def written(fields: Fields) -> bytes:
    return b"{" + b",".join(b'"' + name + b'":' + value for name, value in fields) + b"}"


EVENT: Final = written(
    [(b"id", b'"z"'), (b"source", b'"s"'), (b"tenant", b'"t"'), (b"time", TIMES[0])]
    + [(b"region", b'"r"'), (b"provider", b'"p"'), (b"model", b'"m"')]
    + [(b"input_tokens", b"3"), (b"output_tokens", b"2"), (b"status", b'"error"')]
)
#: What may stand between two values in one buffer.
BETWEEN: Final = (
    *(b"", b"}", b'"', b",", b"0", b"9999999", b'{"id":"', b"\xff" * 40, b"\0\x02", EVENT),
)
EDITS: Final = (b"", *(bytes([byte]) for byte in b'\0 "\\,:}09-.\x7f\x80'))


def plain_name(chance: Random) -> bytes:
    if chance.random() < 0.6:
        return chance.choice(LABELS)
    return b'"' + "".join(chance.choices(PLAIN, k=chance.choice(LENGTHS))).encode() + b'"'


def plain_fields(chance: Random) -> Fields:
    """An event in the canonical form, with some of what may be missing."""
    names = {name: plain_name(chance) for name in NAMES}
    fields = [(name, names[name]) for name in NAMES[:3]]
    fields += [(b"time", chance.choice(TIMES))]
    fields += [(name, names[name]) for name in NAMES[3:]]
    fields += [(name, chance.choice(NUMBERS)) for name in (b"input_tokens", b"output_tokens")]
    optional: list[tuple[bytes, tuple[bytes, ...]]] = [(name, NUMBERS) for name in SUBSET_NAMES]
    optional += [(b"status", (b'"ok"', b'"error"')), (b"quality", (b'"measured"', b'"estimated"'))]
    optional += [(b"duration_ms", NUMBERS)]
    if chance.random() < 0.5:
        optional += [(b"service_tier", TIERS), *((name, NUMBERS) for name in CLOSER_NAMES)]
    often = 0.3 if len(optional) < 8 else 0.15
    drawn = [(name, values) for name, values in optional if chance.random() < often]
    return fields + [(name, chance.choice(values)) for name, values in drawn]


def other_value(fields: Fields, chance: Random) -> None:
    at = chance.randrange(len(fields))
    name = fields[at][0]
    fields[at] = (name, chance.choice(ODD.get(name, ANYTHING)))


def any_value(fields: Fields, chance: Random) -> None:
    at = chance.randrange(len(fields))
    fields[at] = (fields[at][0], chance.choice(ANYTHING))


def other_key(fields: Fields, chance: Random) -> None:
    at = chance.randrange(len(fields))
    fields[at] = (chance.choice((*OTHER_KEYS, *ODD)), fields[at][1])


def dropped(fields: Fields, chance: Random) -> None:
    del fields[chance.randrange(len(fields))]


def doubled(fields: Fields, chance: Random) -> None:
    name, value = chance.choice(fields)
    value = chance.choice((value, chance.choice(ODD.get(name, ANYTHING))))
    at = fields.index((name, value)) if (name, value) in fields else chance.randrange(len(fields))
    fields.insert(chance.choice((at, chance.randrange(len(fields) + 1))), (name, value))


def swapped(fields: Fields, chance: Random) -> None:
    one, other = chance.randrange(len(fields)), chance.randrange(len(fields))
    if chance.random() < 0.5:
        other = (one + 1) % len(fields)
    fields[one], fields[other] = fields[other], fields[one]


def added(fields: Fields, chance: Random) -> None:
    name = chance.choice((*ODD, *OTHER_KEYS))
    at = chance.choice((len(fields), chance.randrange(len(fields) + 1)))
    fields.insert(at, (name, chance.choice(ODD.get(name, ANYTHING))))


FIELD_MUTATIONS: Final[tuple[Callable[[Fields, Random], None], ...]] = (
    *(other_value, other_value, other_value, any_value, other_key),
    *(dropped, doubled, swapped, added),
)


def bytes_changed(record: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(record) + 1)
    end = start + chance.choice((0, 1, 1, 1, 2, 8))
    new = chance.choice((*EDITS, bytes([chance.randrange(256)]), record[start : start + 12] * 2))
    return record[:start] + new + record[end:]


def bit_flipped(record: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(record))
    return record[:at] + bytes([record[at] ^ 1 << chance.randrange(8)]) + record[at + 1 :]


def cut_off(record: bytes, chance: Random) -> bytes:
    return record[: chance.randrange(len(record) + 1)]


def surrounded(record: bytes, chance: Random) -> bytes:
    around = (b"", b" ", b"\n", b"\0", b"}", b",", b"\xef\xbb\xbf", b"[", EVENT, b'"', b"\t")
    return chance.choice(around) + record + chance.choice(around)


def without_its_start(record: bytes, chance: Random) -> bytes:
    return record[chance.randrange(len(record) + 1) :]


BYTE_MUTATIONS: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (
    *(bytes_changed, bytes_changed, bit_flipped, cut_off, surrounded, without_its_start),
)


def record(chance: Random) -> bytes | None:
    """A record: in the canonical form, or changed somewhere, or nothing at all."""
    fields = plain_fields(chance)
    dice = chance.random()
    if dice < 0.25:
        return written(fields)
    if dice < 0.65:
        for _ in range(chance.choice((1, 1, 2))):
            if fields:
                chance.choice(FIELD_MUTATIONS)(fields, chance)
        return written(fields)
    if dice < 0.97:
        return chance.choice(BYTE_MUTATIONS)(written(fields), chance)
    return chance.choice((None, b"", b"{}", b"{", b"null", b"\0" * 50, b"x" * 1500, b'{"id":"'))
