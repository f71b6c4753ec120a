from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from services.platform.errors import UnavailableError
from services.platform.kafka_questions import KafkaQuestions
from services.platform.settings import KafkaSettings


@pytest.mark.parametrize("said", ["print('no json')", "pass", "import os; os.abort()"])
def test_whatever_a_child_says_or_does_is_no_more_than_unavailable(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    popen = subprocess.Popen

    def child(command: list[str], **pipes: Any) -> Any:
        return popen([sys.executable, "-c", said], **pipes)

    monkeypatch.setattr(subprocess, "Popen", child)
    questions = KafkaQuestions(KafkaSettings())
    with pytest.raises(UnavailableError):
        questions.describe("usage")
    assert questions.pid is None
