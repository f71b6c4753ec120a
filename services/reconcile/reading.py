"""PURE. Values of exports, JSON and CSV: numbers as they are written, errors that say where."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from services.platform.errors import ConfigurationError

#: OpenAI writes amounts with 30 decimals; no number needs more digits on either side.
DIGITS_MAX: Final = 40
SECONDS_MIN: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
SECONDS_MAX: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Row:
    """One row, by column or key, and where it stands; '' and null are nothing told."""

    values: Mapping[str, Any]
    where: str

    def told(self, name: str) -> Any:
        """Give a value, or None where there is none."""
        value = self.values.get(name)
        return None if value is None or value == "" else value

    def text(self, name: str) -> str:
        """Give a text; '' where there is none."""
        value = self.told(name)
        return "" if value is None else str(value).strip()

    def count(self, name: str) -> int | None:
        """Give a whole number that is not below 0; None where there is none."""
        value = self.told(name)
        if value is None:
            return None
        number = self._decimal(name, value)
        if number != number.to_integral_value() or number < 0:
            raise self.wrong(name, value, "a whole number of at least 0")
        return int(number)

    def seconds(self, name: str) -> int:
        """Give a time in Unix seconds, of the years 2000 to 2099."""
        seconds = self.required_count(name)
        if not SECONDS_MIN <= seconds < SECONDS_MAX:
            raise self.wrong(name, seconds, "Unix seconds of a time from 2000 to 2099")
        return seconds

    def required_count(self, name: str) -> int:
        """Give a whole number that must be there: a missing quantity is never 0."""
        count = self.count(name)
        if count is None:
            raise ConfigurationError(f"{self.where}: {name} is missing")
        return count

    def decimal(self, name: str) -> Decimal | None:
        """Give a number as it is written; None where there is none."""
        value = self.told(name)
        return None if value is None else self._decimal(name, value)

    def moment(self, name: str) -> datetime:
        """Give a time; one without a zone is in UTC, as these exports have them."""
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
        except ValueError:
            raise self.wrong(name, text, "a time such as 2026-10-03T00:00:00Z") from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def day(self, name: str) -> date:
        """Give a day in UTC, of a day or of a time."""
        return self.moment(name).date()

    def within(self, name: str) -> Row:
        """Give the object under a key; an empty one where there is none, or text that is JSON."""
        value = self.told(name)
        if isinstance(value, str):
            value = parsed_json(value, f"{self.where}: {name}")
        return Row(value if isinstance(value, Mapping) else {}, f"{self.where}: {name}")

    def rows(self, name: str) -> list[Row]:
        """Give the objects of a list; none where there is no list."""
        value = self.told(name)
        return [] if value is None else objects(value, f"{self.where}: {name}")

    def wrong(self, name: str, value: object, wanted: str) -> ConfigurationError:
        """Say that a value is not what it must be."""
        return ConfigurationError(f"{self.where}: {name} is {value!r} and must be {wanted}")

    def _decimal(self, name: str, value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
            raise self.wrong(name, value, "a number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self.wrong(name, value, "a number") from None
        if not number.is_finite() or number.adjusted() >= DIGITS_MAX:
            raise self.wrong(name, value, f"a number of fewer than {DIGITS_MAX} digits")
        if number.normalize().adjusted() < -DIGITS_MAX:
            raise self.wrong(name, value, f"a number with fewer than {DIGITS_MAX} decimals")
        return number


def objects(value: Any, where: str) -> list[Row]:
    """Give a list's rows; raises `ConfigurationError` where it is none of objects alone."""
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise ConfigurationError(f"{where} must be a list of objects")
    return [Row(one, f"{where}[{number}]") for number, one in enumerate(value)]


def parsed_json(text: str, where: str) -> Any:
    """Read JSON, or JSON values a line each; fractions as they are written, never as floats."""
    try:
        return _loads(text)
    except json.JSONDecodeError as error:
        whole = f"{error.msg} in line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where}: no JSON that can be read: {error}") from None
    try:
        return [_loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{where}: no JSON: {whole}") from None


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=_fraction)


def _fraction(written: str) -> Decimal | str:
    """Read a fraction; what is no number that anything can have is left as its text."""
    try:
        return Decimal(written)
    except InvalidOperation:
        return written


def csv_rows(text: str, where: str) -> tuple[Sequence[str], Iterator[Row]]:
    """Give the header of a CSV, and its rows; separated by comma, semicolon or tab.

    Raises `ConfigurationError` for a row that is longer than the header, as it is met.
    """
    lines = text.splitlines(keepends=True)
    if not lines:
        raise ConfigurationError(f"{where} is empty")
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise ConfigurationError(f"{where}, line {reader.line_num}: {error}") from None

    def rows() -> Iterator[Row]:
        try:
            for fields in reader:
                if not any(fields):
                    continue
                at = f"{where}, line {reader.line_num}"
                if len(fields) != len(header):
                    raise ConfigurationError(
                        f"{at}: {len(fields)} fields under {len(header)} columns"
                    )
                yield Row(dict(zip(header, fields, strict=True)), at)
        except csv.Error as error:
            raise ConfigurationError(f"{where}, line {reader.line_num}: {error}") from None

    return header, rows()
