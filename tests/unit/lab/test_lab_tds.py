"""The test peer for SQL Server is as strict as one: with it or against it by what a statement says."""
import pytest

from tests.support.tsql_engine import Engine
from tests.support.tsql_session import Session
from tests.support.tsql_parse import SqlError

ANSI = ("SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON; "
        "SET XACT_ABORT ON")
TABLE = ("CREATE TABLE [dbo].[t] ([id] VARCHAR(64) NOT NULL, [n] BIGINT, [c] NVARCHAR(5), [m] NVARCHAR(MAX) NOT NULL, "
         "PRIMARY KEY ([id]))")
FILL = ("INSERT INTO [dbo].[t] ([id], [n], [c], [m]) SELECT s.[a], s.[b], s.[c], s.[d] FROM OPENJSON(@j) WITH "
        "([a] NVARCHAR(100) '$[0]', [b] BIGINT '$[1]', [c] NVARCHAR(MAX) '$[2]', [d] NVARCHAR(MAX) '$[3]') AS s")


@pytest.fixture
def session():
    session = Session(Engine())
    session.run_script(ANSI)
    session.run_script(TABLE)
    return session


def fill(session, document, sql=FILL):
    session.call(sql, {"@j": ("NVARCHAR", (None,))}, {"@j": document})


def ids(session):
    return sorted(r["id"] for r in session.engine.rows("t"))


def refused(number, run, *arguments):
    with pytest.raises(SqlError) as e:
        run(*arguments)
    assert e.value.number == number, e.value.text
    return e.value.text


def test_what_it_does_not_know_is_a_syntax_error(session):
    for text in ("SELEC 1", "SELECT 1 FROM", "MERGE INTO t", 'SELECT "x"', "SELECT 1; GO HOME", "UPDATE t SET a = 1"):
        assert refused(102, session.run_script, text)


def test_names_must_exist(session):
    refused(208, session.run_script, "SELECT x.[a] FROM [dbo].[nix] AS x")
    refused(207, session.run_script, "SELECT x.[nix] FROM [dbo].[t] AS x")
    refused(4104, session.run_script, "SELECT y.[id] FROM [dbo].[t] AS x")
    refused(137, session.run_script, "SELECT @nix")
    refused(195, session.run_script, "SELECT NIX(1)")
    refused(2812, session.run_script, "EXEC sys.sp_nix 1")


def test_rows_come_from_json_with_its_types(session):
    fill(session, '[["a", 9007199254740993, "x", "caf\\u00e9 \\ud83d\\ude97"], ["b", null, null, ""]]')
    rows = {r["id"]: r for r in session.engine.rows("t")}
    assert rows["a"] == {"id": "a", "n": 9007199254740993, "c": "x", "m": "café 🚗"}
    assert rows["b"] == {"id": "b", "n": None, "c": None, "m": ""}


def test_the_table_s_rules_hold(session):
    fill(session, '[["A", 1, "x", "y"]]')
    assert "(a)" in refused(2627, fill, session, '[["a", 1, "x", "y"]]'), "the key's collation ignores case"
    refused(515, fill, session, '[["c", 1, "x", null]]')
    assert "column 'c'" in refused(2628, fill, session, '[["d", 1, "123456", "y"]]')
    refused(8114, fill, session, '[["e", 1.5, "x", "y"]]')
    refused(13609, fill, session, '[["f"')
    assert ids(session) == ["A"]


def test_characters_beyond_the_code_page_become_question_marks(session):
    fill(session, '[["caf\\u00e9 \\u6771", 1, "x", "y"]]')
    assert ids(session) == ["café ?"]


def test_an_openjson_column_that_would_cut_is_a_mistake_of_the_driver(session):
    with pytest.raises(SqlError, match="would cut"):
        fill(session, '[["%s", 1, "x", "y"]]' % ("a" * 101))


def test_changes_need_the_ansi_options():
    session = Session(Engine())
    session.run_script(TABLE)
    assert "ANSI_WARNINGS" in refused(1934, fill, session, '[["a", 1, "x", "y"]]')


def test_a_transaction_is_all_or_nothing(session):
    session.run_script("BEGIN TRANSACTION")
    fill(session, '[["a", 1, "x", "y"]]')
    session.run_script("CREATE TABLE [dbo].[u] ([id] BIGINT NOT NULL, PRIMARY KEY ([id])); ALTER TABLE [dbo].[t] ADD [z] BIT")
    session.rollback()
    assert ids(session) == [] and session.engine.table("u") is None
    assert [c.name for c in session.engine.table("t").columns] == ["id", "n", "c", "m"]


def test_catch_sees_the_error_and_throw_passes_it_on(session):
    text = refused(515, fill, session, '[["c", 1, "x", null]]', "BEGIN TRY\nBEGIN TRANSACTION;\n" + FILL + ";\nCOMMIT "
                   "TRANSACTION;\nEND TRY\nBEGIN CATCH\nIF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;\nPRINT 7;\nTHROW;\nEND CATCH")
    assert "NULL" in text and session.messages == ["7"] and session.transaction is None


def test_collations_conflict_unless_one_is_named(session):
    other = Session(session.engine)
    session.engine.table("t").columns[0].collation = "Latin1_General_CS_AS"
    join = "SELECT t.[id] FROM [dbo].[t] AS t JOIN OPENJSON(N'[[\"a\"]]') WITH ([a] VARCHAR(64) '$[0]') AS s ON t.[id] = s.[a]"
    refused(468, other.run_script, join)
    other.run_script(join + " COLLATE Latin1_General_CS_AS")
    assert other.results[-1] == ([""], [])
