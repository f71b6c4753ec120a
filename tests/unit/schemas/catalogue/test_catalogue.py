"""Which model entry a name belongs to, and that names are unique."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.catalogue import Catalogue, load_catalogue


@pytest.mark.parametrize(
    ("name", "author", "license"),
    [
        ("gpt-5.6-luna", "OpenAI", "proprietary"),
        ("openai/gpt-oss-120b", "OpenAI", "Apache-2.0"),
        ("DeepSeek-R1-Distill-Llama-70B", "DeepSeek", "MIT"),
        ("nvidia/llama-3.3-nemotron-super", "Nvidia", "open-weight"),
        ("meta-llama/llama-4-scout", "Meta", "mixed"),
        ("global.anthropic.claude-opus-5-5", "Anthropic", "proprietary"),
        ("google/gemma-4-31b", "Google", "open-weight"),
    ],
)
def test_the_entry_of_highest_priority_wins(name: str, author: str, license: str) -> None:
    entry = load_catalogue().model_of(name)
    assert entry is not None
    assert (entry.author, entry.license) == (author, license)


def test_an_unknown_model_has_no_entry() -> None:
    assert load_catalogue().model_of("others") is None


def test_nothing_is_there_twice() -> None:
    files = load_catalogue().model_dump(by_alias=True)
    for file, key in (("tariffs", "tariffs"), ("regions", "regions"), ("models", "models")):
        twice = files | {file: files[file] | {key: files[file][key] * 2}}
        with pytest.raises(ValidationError, match="is there twice"):
            Catalogue.model_validate(twice)
