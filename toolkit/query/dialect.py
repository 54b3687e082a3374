"""Temporal's List Filter language as a sqlglot dialect: text → sqlglot tree, every node with its place in the text.

It knows the grammar only; what the names mean, and which operator suits which type, is decided in `check`.
"""

from __future__ import annotations

import re
from typing import ClassVar, NoReturn

from sqlglot import exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from toolkit.errors import FilterError
from toolkit.query.quoting import open_quote, shorten, unescape

# Enough for any filter a person or a program writes; small enough for every engine's own limits on expressions.
MAX_LENGTH = 65_536
MAX_CONDITIONS = 500
MAX_VALUES = 2_000
MAX_DEPTH = 50

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_COMPARISONS: dict[TokenType, type[exp.Binary]] = {
    TokenType.EQ: exp.EQ,
    TokenType.NEQ: exp.NEQ,
    TokenType.GT: exp.GT,
    TokenType.GTE: exp.GTE,
    TokenType.LT: exp.LT,
    TokenType.LTE: exp.LTE,
}
# Words that MySQL's grammar has and the List Filter refuses, with what to use instead.
REFUSED = {
    "LIKE": "Use STARTS_WITH for the beginning of a value.",
    "REGEXP": "Use STARTS_WITH for the beginning of a value.",
    "RLIKE": "Use STARTS_WITH for the beginning of a value.",
    "LIMIT": "The page size is not part of the filter.",
    "OFFSET": "Pages are asked for by page token.",
    "HAVING": "GROUP BY takes one field and nothing more.",
    "SELECT": "A filter is only what would follow WHERE.",
    "WHERE": "A filter is only what would follow WHERE.",
    "EXISTS": "Use IS NOT NULL.",
    "UNION": "A filter is only what would follow WHERE.",
    "XOR": "Write it with AND, OR and NOT.",
    "DIV": "Values are literals; there is no arithmetic.",
    "MOD": "Values are literals; there is no arithmetic.",
    "CASE": "Values are literals.",
    "COLLATE": "How text compares is decided by the store.",
}


class ListFilter(Dialect):
    """The dialect: `parse` is its only entrance."""

    class Tokenizer(tokens.Tokenizer):
        QUOTES: ClassVar = ["'", '"']
        IDENTIFIERS: ClassVar = ["`"]
        STRING_ESCAPES: ClassVar = ["'", '"', "\\"]
        COMMENTS: ClassVar = []
        # MySQL's `!` binds differently from NOT, and Temporal refuses it.
        SINGLE_TOKENS: ClassVar = {**tokens.Tokenizer.SINGLE_TOKENS, "!": TokenType.UNKNOWN}
        KEYWORDS: ClassVar = {
            "!=": TokenType.NEQ,
            "<>": TokenType.NEQ,
            ">=": TokenType.GTE,
            "<=": TokenType.LTE,
            "AND": TokenType.AND,
            "&&": TokenType.AND,
            "OR": TokenType.OR,
            "||": TokenType.OR,
            "NOT": TokenType.NOT,
            "IN": TokenType.IN,
            "IS": TokenType.IS,
            "BETWEEN": TokenType.BETWEEN,
            "NULL": TokenType.NULL,
            "TRUE": TokenType.TRUE,
            "FALSE": TokenType.FALSE,
            "GROUP BY": TokenType.GROUP_BY,
            "ORDER BY": TokenType.ORDER_BY,
        }

    class Parser(parser.Parser):
        """One method a rule; each consumes tokens and returns a node, or raises FilterError."""

        _conditions = 0
        _values = 0

        def parse(self, raw_tokens: list[Token], sql: str) -> list[exp.Expr | None]:
            """The tree of a whole filter, as the only element."""
            self._conditions = self._values = 0
            self.reset()
            self._chunks, self.sql = [raw_tokens], sql
            self._advance_chunk()
            return [self._parse_filter()]

        def _parse_filter(self) -> exp.Select:
            tree = exp.Select()
            if self._curr and self._curr.token_type not in (TokenType.GROUP_BY, TokenType.ORDER_BY):
                tree.set("where", exp.Where(this=self._parse_any(0)))
            if self._match(TokenType.GROUP_BY):
                tree.set("group", exp.Group(expressions=self._parse_names()))
            if self._match(TokenType.ORDER_BY):
                self._fail("TV7005", "ORDER BY is not supported", "Records come newest first: open ones, then by close "
                           "time, start time and run id.", self._prev)  # fmt: skip
            if self._curr:
                self._refuse_known_words()
                self._unexpected("AND, OR, GROUP BY or the end")
            return tree

        def _parse_names(self) -> list[exp.Expr]:
            names: list[exp.Expr] = [self._parse_name()]
            while self._match(TokenType.COMMA):
                names.append(self._parse_name())
            return names

        def _parse_any(self, depth: int) -> exp.Expr:
            if depth > MAX_DEPTH:
                self._fail("TV7003", f"the filter nests deeper than {MAX_DEPTH} levels", "Use IN for long lists.")
            left = self._parse_all(depth)
            while self._match(TokenType.OR):
                left = exp.Or(this=left, expression=self._parse_all(depth))
            return left

        def _parse_all(self, depth: int) -> exp.Expr:
            left = self._parse_not(depth)
            while self._match(TokenType.AND):
                left = exp.And(this=left, expression=self._parse_not(depth))
            return left

        def _parse_not(self, depth: int) -> exp.Expr:
            negations = 0
            while self._match(TokenType.NOT):
                negations += 1
            if depth + negations > MAX_DEPTH:
                self._fail("TV7003", f"the filter nests deeper than {MAX_DEPTH} levels", "Use IN for long lists.")
            inner = self._parse_condition_or_group(depth + negations)
            for _ in range(negations):
                inner = exp.Not(this=inner)
            return inner

        def _parse_condition_or_group(self, depth: int) -> exp.Expr:
            if not self._match(TokenType.L_PAREN):
                return self._parse_predicate()
            inner = self._parse_any(depth + 1)
            if not self._match(TokenType.R_PAREN):
                self._unexpected("')'")
            return inner

        def _parse_predicate(self) -> exp.Expr:
            self._conditions += 1
            if self._conditions > MAX_CONDITIONS:
                self._fail("TV7003", f"the filter has more than {MAX_CONDITIONS} conditions", "Use IN for long lists.")
            name = self._parse_name()
            comparison = _COMPARISONS.get(self._curr.token_type)
            if comparison:
                self._advance()
                return comparison(this=name, expression=self._parse_literal())
            if self._match(TokenType.IS):
                node: exp.Expr = exp.Is(this=name, expression=exp.Null())
                negated = self._match(TokenType.NOT)
                if not self._match(TokenType.NULL):
                    self._unexpected("NULL")
                return exp.Not(this=node) if negated else node
            negated = self._match(TokenType.NOT)
            node = self._parse_word_operator(name, negated)
            return exp.Not(this=node) if negated else node

        def _parse_word_operator(self, name: exp.Expr, negated: bool) -> exp.Expr:
            if self._match(TokenType.BETWEEN):
                low = self._parse_literal()
                if not self._match(TokenType.AND):
                    self._unexpected("AND and the upper bound")
                return exp.Between(this=name, low=low, high=self._parse_literal())
            if self._match(TokenType.IN):
                return exp.In(this=name, expressions=self._parse_list())
            if self._match_text_seq("STARTS_WITH"):
                return exp.StartsWith(this=name, expression=self._parse_literal())
            self._refuse_known_words()
            self._unexpected("BETWEEN, IN or STARTS_WITH" if negated else "an operator such as =, IN or IS NULL")

        def _parse_list(self) -> list[exp.Expr]:
            if not self._match(TokenType.L_PAREN):
                self._unexpected("'(' and a list of values")
            values = [self._parse_literal()]
            while self._match(TokenType.COMMA):
                values.append(self._parse_literal())
            if not self._match(TokenType.R_PAREN):
                self._unexpected("',' or ')'")
            return values

        def _parse_name(self) -> exp.Column:
            token = self._curr
            match token.token_type:
                case TokenType.IDENTIFIER if token.text:
                    pass
                case TokenType.VAR if _is_name(token):
                    self._refuse_known_words()
                case TokenType.STRING | TokenType.NUMBER:
                    self._fail("TV7001", "a condition starts with a name, but here is a value",
                               "Write the name first; names that need quotes stand in backticks.")  # fmt: skip
                case _:
                    self._unexpected("the name of a search attribute")
            self._advance()
            name, last = token.text, token
            # Temporal's parser takes a.b for a table's column, a.b.c for a schema's; its server joins them again.
            for _ in range(2):
                if self._match(TokenType.DOT):
                    last = self._parse_part()
                    name = f"{name}.{last.text}"
            if self._curr.token_type == TokenType.L_PAREN:
                self._fail(
                    "TV7005", "functions are not supported", "A filter compares names with literal values.", token
                )
            column = exp.Column(this=exp.Identifier(this=name)).update_positions(token)
            column.meta["end"] = last.end
            return column

        def _parse_part(self) -> Token:
            token = self._curr
            if not token.text or not (token.token_type == TokenType.IDENTIFIER or _is_name(token)):
                self._unexpected("the rest of a name")
            self._advance()
            return token

        def _parse_literal(self) -> exp.Expr:
            self._values += 1
            if self._values > MAX_VALUES:
                self._fail("TV7003", f"the filter has more than {MAX_VALUES} values", "Ask in several parts.")
            token = self._curr
            match token.token_type:
                case TokenType.STRING:
                    self._advance()
                    raw = self.sql[token.start + 1 : token.end]
                    return exp.Literal(this=unescape(raw, self.sql[token.start]), is_string=True).update_positions(
                        token
                    )
                case TokenType.TRUE | TokenType.FALSE:
                    self._advance()
                    return exp.Boolean(this=token.token_type == TokenType.TRUE).update_positions(token)
                case TokenType.NUMBER | TokenType.DASH | TokenType.PLUS | TokenType.DOT:
                    return self._parse_signed_number()
                case TokenType.NULL:
                    self._fail("TV7001", "NULL is not a value", "Use IS NULL or IS NOT NULL.")
                case TokenType.L_PAREN:
                    self._fail("TV7001", "a list stands only behind IN", "Use IN (…), or one value without brackets.")
                case TokenType.VAR if not _is_name(token):
                    self._unexpected("a value")
                case TokenType.VAR | TokenType.IDENTIFIER:
                    self._refuse_known_words()
                    if self._next.token_type == TokenType.L_PAREN:
                        self._fail("TV7005", "functions are not supported", "A filter compares names with literals.")
                    hint = f"Did you forget the quotes? '{token.text[:60]}'"
                    self._fail("TV7005", "names cannot be compared with names", hint)
                case _:
                    self._unexpected("a value")

        def _parse_signed_number(self) -> exp.Expr:
            first = self._curr
            negative = first.token_type == TokenType.DASH
            if self._curr.token_type in (TokenType.DASH, TokenType.PLUS):
                self._advance()
            text = ""
            if self._match(TokenType.DOT):
                text = "0."
            token = self._curr
            if token.token_type != TokenType.NUMBER or (text and "." in token.text):
                self._unexpected("a number")
            text += token.text
            if not _NUMBER.fullmatch(text):
                self._fail("TV7007", f"{token.text[:40]!r} is not a number")
            self._advance()
            number = exp.Literal(this=f"-{text}" if negative else text, is_string=False).update_positions(first)
            number.meta["end"] = token.end
            return number

        def _refuse_known_words(self) -> None:
            word = self._curr.text.upper()
            if self._curr.token_type == TokenType.VAR and word in REFUSED:
                self._fail("TV7005", f"{word} is not supported", REFUSED[word])

        def _unexpected(self, wanted: str) -> NoReturn:
            if self._curr:
                self._fail("TV7001", f"expected {wanted}, found {shorten(self._curr.text)}")
            end = len(self.sql)
            raise FilterError("TV7001", f"expected {wanted}, but the filter ends", "", self.sql, end, end)

        def _fail(self, code: str, message: str, hint: str = "", token: Token | None = None) -> NoReturn:
            place = token or self._curr or self._prev
            raise FilterError(code, message, hint, self.sql, place.start, place.end + 1)


def _is_name(token: Token) -> bool:
    return token.token_type == TokenType.VAR and _NAME.fullmatch(token.text) is not None


_DIALECT = ListFilter()


def parse(text: str) -> exp.Select:
    """The sqlglot tree of a filter: a Select with `where` and `group`, both possibly missing. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError("TV7003", f"the filter is longer than {MAX_LENGTH} characters", "Ask in several parts.")
    try:
        found = _DIALECT.tokenize(text)
    except TokenError:
        start = open_quote(text)
        raise FilterError("TV7002", f"the quote {text[start]} is never closed", "", text, start, start + 1) from None
    _refuse_foreign(text, found)
    [tree] = _DIALECT.parser().parse(found, text)
    assert isinstance(tree, exp.Select)
    return tree


def _refuse_foreign(text: str, found: list[Token]) -> None:
    """sqlglot reads some template marks in every dialect; none of them is part of this language."""
    start = text.find("{#")
    if start >= 0 and (any(token.comments for token in found) or not found):
        raise FilterError("TV7005", "comments are not supported", "", text, start, start + 2)
