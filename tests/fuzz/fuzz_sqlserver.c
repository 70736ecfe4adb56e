/*
 * Any bytes as a URL, as words of the server and as a row.  What FreeTDS is told stays the lines it is meant to be;
 * words only get shorter; a row that is taken becomes a document that is JSON and has what was given.
 */

#include <stdlib.h>

#include "drivers/sqlserver/sqlserver_error.h"
#include "drivers/sqlserver/sqlserver_json.h"
#include "drivers/sqlserver/sqlserver_url.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CI	SLICE("SQL_Latin1_General_CP1_CI_AS")

static const char	schema[] =
    "{\"table\":\"t\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\"],\"required\":[],\"properties\":{"
    "\"id\":{\"type\":\"string\"},\"b\":{\"type\":\"boolean\"},\"d\":{\"type\":\"number\"},\"f\":{\"type\":\"number\"},"
    "\"i\":{\"type\":\"integer\"},\"j\":{\"type\":\"object\"},\"t\":{\"type\":\"string\"}}}";

static const struct { const char *column, *type; int precision, scale, size; } columns[] = {
	{ "id", "varchar", 0, 0, 64 }, { "b", "bit", 1, 0, 1 }, { "d", "decimal", 12, 3, 9 }, { "f", "float", 53, 0, 8 },
	{ "i", "bigint", 19, 0, 8 }, { "j", "nvarchar", 0, 0, MS_MAX }, { "t", "nvarchar", 0, 0, 10 },
};

static struct sql_tables	 tables;
static struct ms_types		 types;
static struct sql_version	*version;

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static struct sql_table *
table(void)
{
	struct sql_schema	*parsed;
	struct err		 err;
	struct sql_table	*t;

	if (tables.n > 0)
		return tables.v[0];
	must(sql_schema_parse(&parsed, slice_of(schema), &err) == 0, "schema");
	must((version = sql_tables_take(&tables, parsed, &err)) != NULL, "table");
	t = tables.v[0];
	t->exists = true;
	t->held = calloc(t->ncols, sizeof(*t->held));
	must(t->held != NULL && t->ncols == NELEM(columns), "columns");
	for (size_t i = 0; i < NELEM(columns); i++) {
		size_t	 at = sql_table_find(t, slice_of(columns[i].column));
		bool	 text = strstr(columns[i].type, "char") != NULL;

		t->held[at] = (struct sql_held){ .exists = true, .size = columns[i].size };
		must(ms_types_add(&types, slice_of(columns[i].type), columns[i].precision, columns[i].scale,
		    text ? CI : slice_of(NULL), &t->held[at].type, &err) == 0, "type");
	}
	t->nheld = t->ncols;
	return t;
}

static void
as_row(struct slice text)
{
	struct sql_table	*t = table();
	struct ms_target	 target = { .qualifier = "[dbo].", .table = t, .types = &types };
	struct json_val		 v[NELEM(columns)], root, document;
	struct event		 ev = { .op = EVENT_INSERT, .operation = SLICE("INSERT"), .table = SLICE("t") };
	struct sql_row		 row = { .table = t, .v = v }, *bad;
	struct buf		 b = { 0 };
	struct err		 err;
	unsigned		 parts;
	bool			 foreign;
	size_t			 n;

	if (json_scan(text, false, &root, &err) != 0 || root.type != JV_OBJECT)
		return;
	ev.after = root;
	if (sql_row_map(t, version, &ev, v, &err) != 0 || sql_row_key(t, &ev, v, &err) != 0)
		return;
	if (ms_json_rows(&b, &target, &row, 1, &parts, &foreign, &bad, &err) == 0) {
		must(json_scan(buf_slice(&b), false, &document, &err) == 0, err.text);
		must(document.type == JV_ARRAY, "the document is no array");
	} else {
		must(bad == &row, "a refusal without a row");
	}
	buf_reset(&b);
	must(ms_json_foreign(&b, &target, &row, 1, 0, &n, &err) == 0 && json_scan(buf_slice(&b), false, &document, &err) == 0,
	    "the texts for a code page are no JSON");
	buf_free(&b);
}

static void
as_url(const char *text)
{
	struct ms_url	 u;
	struct buf	 conf = { 0 };
	struct err	 err = { .code = ERR_NONE };
	struct slice	 rest, line;
	size_t		 lines = 0;

	if (ms_url_parse(&u, text, &err) != 0) {
		must(err.code == ERR_CONFIG || err.code == ERR_NOMEM, "a refusal of another kind");
		return;
	}
	ms_url_conf(&u, &conf);
	for (rest = buf_slice(&conf); slice_cut(&rest, '\n', &line); lines++)
		continue;
	must(lines == 5 || lines == 7, "the settings of FreeTDS have more lines than they should");
	must(u.login_s > 0 && u.answer_s > 0 && u.packet >= 512, "a limit that is none");
	buf_free(&conf);
	ms_url_free(&u);
}

static void
as_words(const char *text)
{
	char	*words = strdup(text);

	must(words != NULL, "memory");
	ms_words_without_values(words);
	must(strlen(words) <= strlen(text), "words became longer");
	must(strstr(words, " Truncated value:") == NULL, "a value is left");
	free(words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char	*text = slice_dup((struct slice){ (const char *)data, n });

	must(text != NULL, "memory");
	as_url(text);
	as_words(text);
	as_row((struct slice){ (const char *)data, n });
	free(text);
	return 0;
}
