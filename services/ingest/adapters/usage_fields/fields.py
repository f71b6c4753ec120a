"""PURE: what a field of a usage object may be: its class, and the quantity that it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from services.ingest.adapters.usage_fields import tiers
from services.ingest.adapters.usage_fields.paths import Leaf, leaves


class FieldClass(StrEnum):
    """What a number in a usage object is to the meter."""

    TOTAL = "a total"
    INSIDE = "a part inside a total"
    BESIDE = "a part beside the totals"
    UNIT = "a unit beside tokens"
    INSTEAD = "a unit instead of tokens"
    OTHER_UNIT = "another unit, not metered"
    KNOWN = "known and not metered"
    TIER = "the service tier"


class Quantity(StrEnum):
    """What a number counts, where it is read."""

    INPUT = "input tokens"
    OUTPUT = "output tokens"
    #: Of input and output.
    SUM = "all tokens"
    CACHE_READ = "cached tokens"
    CACHE_WRITE = "tokens written to the cache"
    #: Of these, by how long they stay.
    CACHE_WRITE_5M = "tokens written to the cache for 5 minutes"
    CACHE_WRITE_1H = "tokens written to the cache for an hour"
    #: DeepSeek's: with the cached ones it makes up the prompt.
    CACHE_MISS = "tokens not in the cache"
    REASONING = "reasoning tokens"
    #: Kinds of content, each inside its total; the cached ones inside their kind as well.
    AUDIO_INPUT = "audio input tokens"
    IMAGE_INPUT = "image input tokens"
    CACHED_AUDIO = "cached audio tokens"
    CACHED_IMAGE = "cached image tokens"
    AUDIO_OUTPUT = "audio output tokens"
    IMAGE_OUTPUT = "image output tokens"
    #: Input that the input total leaves out: prompts of tools, audio.
    MORE_INPUT = "input tokens beside the prompt"
    MORE_AUDIO_INPUT = "audio input tokens beside the prompt"
    MORE_IMAGE_INPUT = "image input tokens beside the prompt"
    #: An input total that includes the caches, of a source whose usual one does not.
    ALL_INPUT = "input tokens with caches"
    #: Anthropic's compaction, which its totals leave out.
    COMPACTION_INPUT = "input tokens of a compaction"
    COMPACTION_CACHE_READ = "cached tokens of a compaction"
    COMPACTION_CACHE_WRITE = "tokens that a compaction wrote to the cache"
    COMPACTION_CACHE_WRITE_5M = "tokens that a compaction wrote to the cache for 5 minutes"
    COMPACTION_CACHE_WRITE_1H = "tokens that a compaction wrote to the cache for an hour"
    COMPACTION_OUTPUT = "output tokens of a compaction"
    #: What is billed beside tokens, or instead of them.
    WEB_SEARCHES = "web searches"
    FILE_SEARCHES = "searches in files"
    TOOL_CALLS = "calls of the provider's tools"
    IMAGES = "images"
    AUDIO_MILLISECONDS = "milliseconds of audio"
    VIDEO_MILLISECONDS = "milliseconds of video"
    CHARACTERS = "characters"
    PAGES = "pages"


@dataclass(frozen=True, slots=True)
class Field:
    """One path, and what stands there."""

    path: str
    field_class: FieldClass
    #: What it counts; None for what is not read.
    quantity: Quantity | None = None
    #: The path names an object, whose counts add up to the quantity: caches by lifetime.
    summed: bool = False
    #: What is told in seconds, and counted in milliseconds.
    in_seconds: bool = False
    #: For a field that tells the tier: what its words mean.
    words: tiers.Words | None = None
    #: The places that the path names, whose counts are added up.
    leaves: tuple[Leaf, ...] = field(init=False, compare=False)
    #: What an object has at its top where it has any of them.
    heads: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Take the path apart once: it is read of every object."""
        object.__setattr__(self, "leaves", leaves(self.path))
        object.__setattr__(self, "heads", frozenset(leaf.head for leaf in self.leaves))


def total(quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class paths as totals; of several names of one quantity each may be given."""
    return tuple(Field(path, FieldClass.TOTAL, quantity) for path in paths)


def inside(quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class paths as parts that their total includes."""
    return tuple(Field(path, FieldClass.INSIDE, quantity) for path in paths)


def beside(quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class paths as parts that the totals leave out."""
    return tuple(Field(path, FieldClass.BESIDE, quantity) for path in paths)


def breakdown(field_class: FieldClass, quantity: Quantity, *paths: str) -> tuple[Field, ...]:
    """Class objects whose counts add up to a quantity, whatever lifetimes there will be."""
    return tuple(Field(path, field_class, quantity, summed=True) for path in paths)


def unit(quantity: Quantity, *paths: str, in_seconds: bool = False) -> tuple[Field, ...]:
    """Class paths as a unit that is billed beside tokens; the first that is not 0 counts.

    Two may differ: some gateways count the searches of one tool, and beside it those of all.
    """
    return tuple(Field(path, FieldClass.UNIT, quantity, in_seconds=in_seconds) for path in paths)


def instead(quantity: Quantity, *paths: str, in_seconds: bool = False) -> tuple[Field, ...]:
    """Class paths as a unit that is billed instead of tokens: it counts where none are told."""
    return tuple(Field(path, FieldClass.INSTEAD, quantity, in_seconds=in_seconds) for path in paths)


def tier(*paths: str, words: tiers.Words = tiers.TIERS) -> tuple[Field, ...]:
    """Class paths as texts that tell the service tier."""
    return tuple(Field(path, FieldClass.TIER, words=words) for path in paths)


def other_unit(*paths: str) -> tuple[Field, ...]:
    """Class paths as money, time and whatever else is no token, and is not metered."""
    return tuple(Field(path, FieldClass.OTHER_UNIT) for path in paths)


def known(*paths: str) -> tuple[Field, ...]:
    """Class paths as tokens that others of the object count already, or that nobody meters."""
    return tuple(Field(path, FieldClass.KNOWN) for path in paths)
