"""The hash is MurmurHash3_x64_128, whatever else is hashed with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_intdigest

from services.aggregator.arrays.byte_spans import Buffer, Words
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.seen_hash import seed, seen_hashes

SeedWords = tuple[int, int]

#: Text, seed of both words, and what the mmh3 package 5.3.1 makes of them.
REFERENCES: list[tuple[bytes, int, tuple[int, int]]] = [
    (b"", 0, (0x0000000000000000, 0x0000000000000000)),
    (b"2", 271041745, (0x3C9B6EE61F08BAB6, 0x80520C86714A5D8A)),
    (b"0`", 0, (0xECA450A9B273259A, 0x404F832E8B7D147C)),
    (b'"Qx<W}$', 2266151100, (0xD0BE4CB1EDA2F816, 0x4D3B8768F1E23201)),
    (b"Y`g>M>w=", 0, (0xBBF3F0B88E2F0123, 0xFC3FC49F40784C43)),
    (b"[F#Vhs-8q", 3693442237, (0x25BF4161AA6F5C9E, 0xED8FBBDF630F7139)),
    (b"Cugn~!Rb1ch;W(^", 3736665164, (0x586F833EEBA6465F, 0x6F121DE7ADB5D44A)),
    (b"ig:aU_NVM!efpoK[", 0, (0xAABAD98F577629BD, 0x1ED4A8A4725A67D7)),
    (b"m$>r7gk8,gA%w*+#Z", 3245220484, (0x7B23F8E66F7D4646, 0xCB2A6BF5BE3D6E4D)),
    (b"QgMxe_e?)}&+266e<CKmaAPL", 0, (0xCA6DAB35A3252ADD, 0x398B22C8E115A2E4)),
    (b"Ipwgy;7GXe5'|v@A)xZXgAfYe[\"SL6B", 2086422589, (0x459F49E2B200E7FF, 0xC04E6A19E6C75FBE)),
    (b"sVj#(yNk2l12BDSiT7o,>_!7dIatYxr~", 0, (0x3548A22E55CBD8FD, 0x5C36633F3B62C43E)),
    (b"=?I`x^=|ULho~tDs='*bsP5b;HGyGgP6z", 1620051826, (0xADA3951440B67A3F, 0xCBF8666FABDFF86F)),
    (
        b"U~p'-fxC|.;B)qjds+*<s7bX#lP_{E=:m`?WZwOf9^}*AU:\"",
        0,
        (0x2C6FF1E7909562A4, 0x7317109C03FB7DA2),
    ),
    (
        b'm2h{IerZaVg6zSzR:`DO4BiD7}p+~OL3BAAMRDi\\"41A=:*kep:fW|?j2g[S|:+q*4v($TQVx2lm1wef'
        b"*?Q2E:u}SN7=G{3M_eF,bG;{\\#Fpl.oPYAp('I51q./Xrl@",
        3198327993,
        (0xC40A634CC6D7F506, 0x5CF6D4FA65513B2B),
    ),
    (
        b"aaS0{<Ruc2|kA}!|0:iQu^fo>C%r6vvga>UDuVTC`-v18h#[&_<S~eL@-*w&WY97ma9bRcO:>Oul)L'["
        b"&o73E]&ka)iS,TbjsGSCN]'g^#WGlI4mlhD)nOVSc$jk/%jd",
        0,
        (0x082DC384C3FC9BB9, 0xE2C56F4F43D2AF51),
    ),
]


def hashed(ids: list[bytes], seeds: list[tuple[int, int]]) -> list[list[int]]:
    frames = frames_of(ids)
    words = seen_hashes(
        *(frames.buffer, frames.starts, frames.ends - frames.starts),
        np.array(seeds, np.uint64).reshape(-1, 2),
    )
    assert words.dtype == np.uint64 and words.shape == (len(ids), 2)
    found: list[list[int]] = words.tolist()
    return found


@pytest.mark.parametrize(("text", "start", "expected"), REFERENCES, ids=lambda value: "")
def test_a_text_alone(text: bytes, start: int, expected: tuple[int, int]) -> None:
    assert hashed([text], [(start, start)]) == [list(expected)]


@pytest.mark.parametrize("fewest_bytes", [0, 9, 16, 33])
def test_texts_of_any_length_together(fewest_bytes: int) -> None:
    chosen = [reference for reference in REFERENCES if len(reference[0]) >= fewest_bytes]
    found = hashed([text for text, _, _ in chosen], [(start, start) for _, start, _ in chosen])
    assert found == [list(expected) for _, _, expected in chosen]


SEEDS = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@given(st.lists(st.tuples(st.binary(max_size=520) | st.binary(max_size=40), SEEDS), max_size=8))
def test_what_stands_beside_an_id_makes_no_difference(rows: list[tuple[bytes, SeedWords]]) -> None:
    ids, seeds = [text for text, _ in rows], [words for _, words in rows]
    assert hashed(ids, seeds) == [hashed([text], [words])[0] for text, words in rows]


@given(st.binary(min_size=1, max_size=40), st.integers(0, 40 * 8), SEEDS)
def test_every_bit_of_an_id_and_of_its_seed_counts(text: bytes, bit: int, words: SeedWords) -> None:
    bit %= 8 * len(text)
    other = bytearray(text)
    other[bit // 8] ^= 1 << bit % 8
    high, low = words
    same, *others = hashed(
        [text, bytes(other), text, text, text + b"\0"],
        [words, words, (high ^ 1 << bit % 64, low), (high, low ^ 1 << bit % 64), words],
    )
    assert all(same != distinct for distinct in others)


def test_nothing_to_hash() -> None:
    assert hashed([], []) == []


def test_only_the_id_is_hashed_and_the_seeds_stay() -> None:
    text, start, expected = REFERENCES[4]
    seeds: Words = np.full((1, 2), start, np.uint64)
    buffer = Buffer(b"before", text, b"after, up to the end of the word and beyond")
    found = seen_hashes(buffer, np.array([6]), np.array([len(text)]), seeds)
    assert found.tolist() == [list(expected)]
    assert seeds.tolist() == [[start, start]]


def test_the_seed_is_the_hash_of_what_an_identity_begins_with() -> None:
    high, low = seed("acme", "gw")
    assert high << 64 | low == xxh3_128_intdigest("4:2:acmegw")
    assert seed("a-b", "c") != seed("a", "-bc")
