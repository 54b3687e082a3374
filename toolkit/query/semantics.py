"""What a filter means where stores differ: the switches, and the meaning that is the same everywhere.

Data only. Each engine states its own values in its `filters` module; COMMON is what `--semantics common` asks for.
The differences (numbers as in the documentation of filters):

1  `missing_matches`    kinds whose negated conditions (!=, NOT IN, NOT …) hold for records that lack the value
2  `open_is_last`       comparisons take the close time of an open execution as 9999-12-31T23:59:59
3  `folded`             kinds whose equality ignores case; `folded_order`: Keywords are ordered without case, too;
                        `folded_prefix`: STARTS_WITH ignores the case of ASCII letters
4  `words`              how a Text is cut into words; None: comparing a Text has no meaning here
5  `fields`, `attributes`, `doubles`   what is left of a time or a Double once stored, and once given, and what a whole
   second means
6  Ranges and prefixes on KeywordLists, which only some servers take, are refused for all.
7  Records always come in one order: close time (open first) and start time, newest first, then run id upwards.
8  `TemporalSystemExecutionStatus` for schedules is an alias like any other.
9  `status_by_name`     <, > and BETWEEN put statuses in the order of their names instead of their numbers
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum

from toolkit.query.tree import Kind

_LARGE = 18


class Words(Enum):
    """How a Text is cut into words, and how words compare.

    TOKENS: at ASCII characters that are no letter or digit; the case of ASCII letters does not count.
    SPACES: at white space, exactly as written. LETTERS: at all that is no letter or digit, without case or accents.
    STANDARD: at Unicode word boundaries, without case. INNODB: as LETTERS with '_' a letter, words of three characters
    and more that are no stop words.
    """

    TOKENS = "tokens"
    SPACES = "spaces"
    LETTERS = "letters"
    STANDARD = "standard"
    INNODB = "innodb"


@dataclass(frozen=True, slots=True)
class Times:
    """What is left of a time: `stored` and `given` are the smallest steps in nanoseconds; `nearest`: a stored time is
    rounded, not cut, though never into the next of the units of `inside` nanoseconds, where that is given. `blur`: both
    sides are brought to the stored step before they are compared. `seconds`: a time given without a fraction stands for
    its whole second: nothing in it is later or earlier, and all of it is equal."""

    stored: int = 1
    given: int = 1
    nearest: bool = False
    inside: int = 0
    blur: bool = False
    seconds: bool = False

    def keep(self, value: int) -> int:
        """What remains of a time once it is stored."""
        kept = (value + (self.stored // 2 if self.nearest else 0)) // self.stored * self.stored
        leaves = self.inside and kept // self.inside > value // self.inside
        return kept - self.stored if leaves else kept

    def beside(self, value: int, given: int) -> int:
        """What a stored time is compared as with a time given in a filter."""
        kept = self.keep(value)
        return kept // SECOND * SECOND if self.seconds and given % SECOND == 0 else kept

    def take(self, value: int) -> int:
        """What remains of a time given in a filter."""
        return self.keep(value) if self.blur else value // self.given * self.given


@dataclass(frozen=True, slots=True)
class Doubles:
    """What is left of a Double: `scale` decimals, None for all of it; `blur` as for times; `equal_rounded`: = and IN
    round what is given as well, and only they."""

    scale: int | None = None
    blur: bool = False
    equal_rounded: bool = False

    def keep(self, value: float) -> Decimal:
        """What remains of a Double once it is stored."""
        exact = Decimal(repr(value))
        # A number this large has no decimals to lose, and more digits than Decimal rounds by default.
        if self.scale is None or exact.adjusted() > _LARGE:
            return exact
        return exact.quantize(Decimal(1).scaleb(-self.scale), ROUND_HALF_UP)

    def take(self, value: float) -> Decimal:
        """What remains of a Double given in a filter."""
        return self.keep(value) if self.blur else Decimal(repr(value))

    def match(self, value: float) -> Decimal:
        """What a stored Double is compared with by = and IN."""
        return self.keep(value) if self.equal_rounded else self.take(value)


@dataclass(frozen=True, slots=True)
class Semantics:
    """One meaning; see the table in this module's docstring."""

    name: str
    missing_matches: frozenset[Kind] = frozenset()
    open_is_last: bool = False
    folded: frozenset[Kind] = frozenset()
    folded_order: bool = False
    folded_prefix: bool = False
    words: Words | None = None
    fields: Times = Times()
    attributes: Times = Times()
    doubles: Doubles = Doubles()
    status_by_name: bool = False


ALL_KINDS = frozenset(Kind)
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000

# The choices: a record that lacks a value satisfies no comparison, negated or not (as in SQL); an open execution has no
# close time; texts are compared exactly and ordered by code point; a time is as fine as the coarsest store keeps it; a
# Double has the four decimals that Elasticsearch keeps; a Text is refused, because its words were cut when stored.
COMMON = Semantics(
    name="common",
    fields=Times(stored=MICROSECOND, blur=True),
    attributes=Times(stored=MILLISECOND, nearest=True, blur=True),
    doubles=Doubles(scale=4, blur=True),
)
