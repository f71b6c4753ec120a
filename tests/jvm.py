"""What a broker of a few minutes runs with."""

from __future__ import annotations

from typing import Final

#: It never earns back what the JVM's second compiler costs it at its start, a third of that CPU.
#: Java reads it from the environment.
SHORT_LIVED: Final = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1"}
