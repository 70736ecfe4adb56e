"""The part of Transact-SQL that the test peer understands, from text to a tree of tuples.

What is not in this grammar is SqlError 102, as a server says of what it does not understand.
Expressions: (kind, ...); statements: Statement with `kind` and fields.
"""
import re
from types import SimpleNamespace as Statement

TOKEN = re.compile(r"""
    (?P<space>\s+) | (?P<text>N?'(?:[^']|'')*') | (?P<name>\[(?:[^\]]|\]\])+\]) | (?P<number>\d+(?:\.\d+)?)
  | (?P<variable>@@?[A-Za-z_][A-Za-z0-9_]*) | (?P<word>[A-Za-z_\#][A-Za-z0-9_\#]*)
  | (?P<sign><>|<=|>=|[=<>+\-&*(),.;])
    """, re.X)

KEYWORDS = set("""SELECT FROM WHERE INSERT INTO UPDATE DELETE SET JOIN LEFT ON AS WITH AND OR NOT EXISTS IN IS NULL LIKE
    CASE WHEN THEN ELSE END CREATE ALTER TABLE SCHEMA DROP ADD PRIMARY KEY BEGIN COMMIT ROLLBACK TRY CATCH IF EXEC PRINT
    DECLARE ORDER BY TOP COLLATE THROW TRANSACTION VALUES DEFAULT CONSTRAINT FOREIGN REFERENCES BULK""".split())
TYPES = set("NVARCHAR VARCHAR CHAR NCHAR BIGINT INT SMALLINT TINYINT BIT FLOAT REAL DECIMAL VARBINARY DATETIME2".split())
HINTS = {"UPDLOCK", "HOLDLOCK", "TABLOCK", "TABLOCKX"}
SET_SWITCHES = set("""QUOTED_IDENTIFIER ANSI_NULLS ANSI_PADDING ANSI_WARNINGS ARITHABORT CONCAT_NULL_YIELDS_NULL
    ANSI_NULL_DFLT_ON NUMERIC_ROUNDABORT XACT_ABORT NOCOUNT IMPLICIT_TRANSACTIONS CURSOR_CLOSE_ON_COMMIT FMTONLY""".split())
SET_VALUES = {"LANGUAGE", "DATEFORMAT", "DATEFIRST", "LOCK_TIMEOUT", "TEXTSIZE", "DEADLOCK_PRIORITY"}


class SqlError(Exception):
    def __init__(self, number, text, level=16):
        super().__init__(text)
        self.number, self.text, self.level = number, text, level


def tokens_of(sql):
    found, at = [], 0
    while at < len(sql):
        m = TOKEN.match(sql, at)
        if not m:
            raise SqlError(102, f"Incorrect syntax near '{sql[at:at + 20]}'.", 15)
        at = m.end()
        if m.lastgroup == "word":
            word = m.group().upper()
            found.append(("keyword", word) if word in KEYWORDS else ("word", m.group()))
        elif m.lastgroup == "name":
            found.append(("name", m.group()[1:-1].replace("]]", "]")))
        elif m.lastgroup == "text":
            wide = m.group()[0] == "N"
            found.append(("text", (m.group()[1 + wide:-1].replace("''", "'"), wide)))
        elif m.lastgroup != "space":
            found.append((m.lastgroup, m.group()))
    found.append(("end", ""))
    return found


class Parser:
    def __init__(self, sql):
        self.tokens, self.at = tokens_of(sql), 0

    # ---- tokens

    @property
    def kind(self):
        return self.tokens[self.at][0]

    @property
    def value(self):
        return self.tokens[self.at][1]

    def fail(self):
        raise SqlError(102, f"Incorrect syntax near '{self.value}'.", 15)

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1][1]

    def is_keyword(self, *words):
        return all(self.tokens[self.at + i:self.at + i + 1] == [("keyword", w)] for i, w in enumerate(words))

    def is_sign(self, sign):
        return self.kind == "sign" and self.value == sign

    def accept(self, *words):
        if self.is_keyword(*words):
            self.at += len(words)
            return True
        return False

    def accept_sign(self, sign):
        if self.is_sign(sign):
            self.at += 1
            return True
        return False

    def expect(self, *words):
        if not self.accept(*words):
            self.fail()

    def expect_sign(self, sign):
        if not self.accept_sign(sign):
            self.fail()

    def take(self, *kinds):
        if self.kind not in kinds:
            self.fail()
        return self.next()

    def word(self):
        return self.take("word").upper()

    def list_of(self, item):
        """( item, item ... )"""
        self.expect_sign("(")
        found = [item()]
        while self.accept_sign(","):
            found.append(item())
        self.expect_sign(")")
        return found

    # ---- names and types

    def identifier(self):
        return self.take("name", "word")

    def object_name(self):
        """(schema or None, name)"""
        first = self.identifier()
        return (first, self.identifier()) if self.accept_sign(".") else (None, first)

    def type(self):
        """(name, (arguments)); MAX is None"""
        name = self.word()
        if name not in TYPES:
            self.fail()
        arguments = ()
        if self.is_sign("("):
            arguments = tuple(self.list_of(self._type_argument))
        return name, arguments

    def _type_argument(self):
        if self.kind == "word" and self.value.upper() == "MAX":
            self.next()
            return None
        return int(self.take("number"))

    # ---- expressions

    def condition(self):
        left = self._conjunction()
        while self.accept("OR"):
            left = ("or", left, self._conjunction())
        return left

    def _conjunction(self):
        left = self._negation()
        while self.accept("AND"):
            left = ("and", left, self._negation())
        return left

    def _negation(self):
        return ("not", self._negation()) if self.accept("NOT") else self._predicate()

    def _predicate(self):
        if self.accept("EXISTS"):
            self.expect_sign("(")
            select = self.select()
            self.expect_sign(")")
            return ("exists", select)
        if self.is_sign("(") and self._parenthesis_is_condition():
            self.expect_sign("(")
            inner = self.condition()
            self.expect_sign(")")
            return inner
        left = self.expression()
        if self.kind == "sign" and self.value in ("=", "<>", "<", ">", "<=", ">="):
            return ("compare", self.next(), left, self.expression())
        negated = self.accept("NOT")
        if self.accept("IN"):
            found = ("in", left, self.list_of(self.expression))
        elif self.accept("LIKE"):
            found = ("like", left, self.expression())
        elif not negated and self.accept("IS"):
            negated = self.accept("NOT")
            self.expect("NULL")
            found = ("null?", left)
        else:
            self.fail()
        return ("not", found) if negated else found

    def _parenthesis_is_condition(self):
        """Looks ahead: is there a comparison before the parenthesis that opens here closes?"""
        depth = 0
        for kind, value in self.tokens[self.at:]:
            depth += (value == "(") - (value == ")") if kind == "sign" else 0
            if depth == 0:
                return False
            if depth == 1 and ((kind == "sign" and value in ("=", "<>", "<", ">", "<=", ">="))
                               or (kind == "keyword" and value in ("IN", "LIKE", "IS", "EXISTS"))):
                return True
        return False

    def expression(self):
        left = self._term()
        while self.kind == "sign" and self.value in "+-&":
            left = ("binary", self.next(), left, self._term())
        return left

    def _term(self):
        found = self._primary()
        while self.accept("COLLATE"):
            name = self.take("word", "keyword")
            found = ("collate", found, name)
        return found

    def _primary(self):
        if self.accept_sign("("):
            if self.is_keyword("SELECT"):
                found = ("scalar", self.select())
            else:
                found = self.expression()
            self.expect_sign(")")
            return found
        if self.accept_sign("-"):
            return ("number", -int(self.take("number")))
        if self.kind == "number":
            return ("number", int(self.next()))
        if self.kind == "text":
            text, wide = self.next()
            return ("text", text, wide)
        if self.kind == "variable":
            return ("variable", self.next())
        if self.accept("NULL"):
            return ("null",)
        if self.accept("CASE"):
            return self._case()
        if self.kind == "word" and self.tokens[self.at + 1] == ("sign", "("):
            return self._call()
        first = self.identifier()
        return ("column", first, self.identifier()) if self.accept_sign(".") else ("column", None, first)

    def _case(self):
        branches = []
        while self.accept("WHEN"):
            when = self.condition()
            self.expect("THEN")
            branches.append((when, self.expression()))
        otherwise = self.expression() if self.accept("ELSE") else ("null",)
        self.expect("END")
        return ("case", branches, otherwise)

    def _call(self):
        function = self.word()
        if function in ("CONVERT", "TRY_CONVERT"):
            self.expect_sign("(")
            target = self.type()
            self.expect_sign(",")
            value = self.expression()
            self.expect_sign(")")
            return (function.lower(), target, value)
        if function == "COUNT_BIG" or function == "COUNT":
            self.expect_sign("(")
            self.expect_sign("*")
            self.expect_sign(")")
            return ("count",)
        self.expect_sign("(")
        arguments = [] if self.is_sign(")") else [self.expression()]
        while self.accept_sign(","):
            arguments.append(self.expression())
        self.expect_sign(")")
        return ("call", function, arguments)

    # ---- sources of rows

    def source(self):
        """One table, or OPENJSON, with its alias."""
        if self.kind == "word" and self.value.upper() == "OPENJSON":
            self.next()
            self.expect_sign("(")
            document = self.expression()
            self.expect_sign(")")
            self.expect("WITH")
            columns = self.list_of(self._json_column)
            self.expect("AS")
            return Statement(kind="openjson", document=document, columns=columns, alias=self.identifier())
        name = self.object_name()
        alias = self.identifier() if self.accept("AS") else name[1]
        hints = self.list_of(self._hint) if self.accept("WITH") else []
        return Statement(kind="table", name=name, alias=alias, hints=set(hints))

    def _hint(self):
        hint = self.word()
        if hint not in HINTS:
            self.fail()
        return hint

    def _json_column(self):
        name, kind = self.identifier(), self.type()
        path, _ = self.take("text")
        return name, kind, path

    def sources(self):
        """[(source, how, condition)]; the first has no condition."""
        found = [(self.source(), "first", None)]
        while True:
            how = "left" if self.accept("LEFT", "JOIN") else "inner" if self.accept("JOIN") else None
            if how is None:
                return found
            source = self.source()
            self.expect("ON")
            found.append((source, how, self.condition()))

    def select(self):
        self.expect("SELECT")
        top = None
        if self.accept("TOP"):
            self.expect_sign("(")
            top = int(self.take("number"))
            self.expect_sign(")")
        columns = [] if self.accept_sign("*") else [self._output()]
        while columns and self.accept_sign(","):
            columns.append(self._output())
        into = self.object_name() if self.accept("INTO") else None
        sources, where, order = [], None, []
        if self.accept("FROM"):
            sources = self.sources()
            where = self.condition() if self.accept("WHERE") else None
        if self.accept("ORDER", "BY"):
            order.append(self.expression())
            while self.accept_sign(","):
                order.append(self.expression())
        return Statement(kind="select", top=top, columns=columns, into=into, sources=sources, where=where, order=order)

    def _output(self):
        value = self.expression()
        name = self.identifier() if self.accept("AS") else ""
        return value, name

    # ---- statements

    def script(self, *until):
        found = []
        while self.kind != "end" and not any(self.is_keyword(*u) for u in until):
            if not self.accept_sign(";"):
                found.append(self.statement())
        return found

    def statement(self):
        for words, make in self.STATEMENTS:
            if self.is_keyword(*words):
                self.at += len(words)
                return make(self)
        if self.is_keyword("SELECT"):
            return self.select()
        self.fail()

    def _set(self):
        if self.kind == "variable":
            name = self.next()
            self.expect_sign("=")
            return Statement(kind="assign", name=name, value=self.expression())
        name = self.word()
        if name in SET_VALUES:
            return Statement(kind="setting", name=name, value=str(self.take("word", "number")))
        names = [name]
        while self.accept_sign(","):
            names.append(self.word())
        if any(n not in SET_SWITCHES for n in names):
            self.fail()
        if self.accept("ON"):
            return Statement(kind="switch", names=names, on=True)
        if self.word() != "OFF":
            self.fail()
        return Statement(kind="switch", names=names, on=False)

    def _declare(self):
        name, kind = self.take("variable"), self.type()
        value = self.expression() if self.accept_sign("=") else ("null",)
        return Statement(kind="declare", name=name, type=kind, value=value)

    def _try(self):
        body = self.script(("END", "TRY"))
        self.expect("END", "TRY")
        self.accept_sign(";")
        self.expect("BEGIN", "CATCH")
        handler = self.script(("END", "CATCH"))
        self.expect("END", "CATCH")
        return Statement(kind="try", body=body, handler=handler)

    def _if(self):
        condition = self.condition()
        return Statement(kind="if", condition=condition, then=self.statement())

    def _exec(self):
        procedure = self.object_name()[1].lower()
        arguments = [self.expression()]
        while self.accept_sign(","):
            arguments.append(self.expression())
        return Statement(kind="exec", procedure=procedure, arguments=arguments)

    def _insert(self):
        table = self.object_name()
        columns = self.list_of(self.identifier) if self.is_sign("(") else None
        if not self.accept("VALUES"):
            return Statement(kind="insert", table=table, columns=columns, select=self.select())
        rows = [self.list_of(self.expression)]
        while self.accept_sign(","):
            rows.append(self.list_of(self.expression))
        return Statement(kind="insert", table=table, columns=columns, select=None, rows=rows)

    def _insert_bulk(self):
        """What announces a bulk load: the columns in the order in which it has them."""
        table = self.object_name()
        columns = self.list_of(self._bulk_column)
        hints = self.list_of(self.word) if self.accept("WITH") else []
        return Statement(kind="bulk", table=table, columns=columns, hints=hints)

    def _bulk_column(self):
        column = self.identifier(), self.type()
        if self.accept("COLLATE"):
            self.take("word")
        return column

    def _update(self):
        alias, assignments = self.identifier(), []
        self.expect("SET")
        while not assignments or self.accept_sign(","):
            target = self.expression()
            if target[0] != "column":
                self.fail()
            assignments.append((target[2], self._assigned()))
        self.expect("FROM")
        sources = self.sources()
        where = self.condition() if self.accept("WHERE") else None
        return Statement(kind="update", alias=alias, assignments=assignments, sources=sources, where=where)

    def _assigned(self):
        self.expect_sign("=")
        return self.expression()

    def _delete(self):
        alias = self.identifier()
        self.expect("FROM")
        sources = self.sources()
        where = self.condition() if self.accept("WHERE") else None
        return Statement(kind="delete", alias=alias, sources=sources, where=where)

    def _create(self):
        table = self.object_name()
        columns, key, refers = [], [], []
        self.expect_sign("(")
        while True:
            if self.accept("PRIMARY", "KEY"):
                key = self.list_of(self.identifier)
            elif self.accept("CONSTRAINT"):
                refers.append(self._foreign_key())
            else:
                columns.append(self._column(key))
            if not self.accept_sign(","):
                break
        self.expect_sign(")")
        return Statement(kind="create", table=table, columns=columns, key=key, refers=refers)

    def _column(self, key):
        """(name, type, nullable, default)"""
        name, kind = self.identifier(), self.type()
        nullable = not self.accept("NOT", "NULL") and (self.accept("NULL") or True)
        default = self.expression() if self.accept("DEFAULT") else ("null",)
        if self.accept("PRIMARY", "KEY"):
            key.append(name)
        return name, kind, nullable, default

    def _foreign_key(self):
        """The table that a constraint refers to."""
        self.identifier()
        self.expect("FOREIGN", "KEY")
        self.list_of(self.identifier)
        self.expect("REFERENCES")
        table = self.object_name()
        self.list_of(self.identifier)
        return table

    def _alter(self):
        table = self.object_name()
        self.expect("ADD")
        if self.accept("PRIMARY", "KEY"):
            return Statement(kind="addkey", table=table, key=self.list_of(self.identifier))
        name, kind = self.identifier(), self.type()
        self.accept("NULL")
        return Statement(kind="add", table=table, column=(name, kind, True, ("null",)))

    def _schema(self, create):
        name = self.identifier()
        return Statement(kind="schema", name=name, create=create)

    STATEMENTS = (
        (("CREATE", "SCHEMA"), lambda p: p._schema(True)), (("DROP", "SCHEMA"), lambda p: p._schema(False)),
        (("BEGIN", "TRY"), _try), (("BEGIN", "TRANSACTION"), lambda p: Statement(kind="begin")),
        (("COMMIT", "TRANSACTION"), lambda p: Statement(kind="commit")),
        (("ROLLBACK", "TRANSACTION"), lambda p: Statement(kind="rollback")),
        (("THROW",), lambda p: Statement(kind="throw")), (("SET",), _set), (("DECLARE",), _declare), (("IF",), _if),
        (("EXEC",), _exec), (("INSERT", "INTO"), _insert), (("INSERT", "BULK"), _insert_bulk), (("UPDATE",), _update), (("DELETE",), _delete),
        (("CREATE", "TABLE"), _create), (("ALTER", "TABLE"), _alter),
        (("DROP", "TABLE", "IF", "EXISTS"), lambda p: Statement(kind="drop", table=p.object_name(), lenient=True)),
        (("DROP", "TABLE"), lambda p: Statement(kind="drop", table=p.object_name(), lenient=False)),
        (("PRINT",), lambda p: Statement(kind="print", value=p.expression())))


def parse(sql):
    parser = Parser(sql)
    script = parser.script()
    if parser.kind != "end":
        parser.fail()
    return script


def parse_parameters(text):
    """`@a INT, @b NVARCHAR(MAX)` as {name: type}"""
    parser, found = Parser(text), {}
    while parser.kind != "end":
        name = parser.take("variable")
        found[name] = parser.type()
        if parser.kind != "end":
            parser.expect_sign(",")
    return found
