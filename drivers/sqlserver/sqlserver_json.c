/*
 * Rows as JSON for OPENJSON.
 *
 * For a text column everything goes as a JSON string: what OPENJSON reads without AS JSON it leaves out when it
 * is an object.  Numbers keep their digits; one that its column would round is refused.
 */

#include "drivers/sql/number.h"
#include "drivers/sqlserver/sqlserver_json.h"
#include "ipc/base/json_out.h"

#define KEY_UNITS	4000		/* NVARCHAR(4000) in the document */

struct writer {
	struct buf		*b;
	const struct ms_target	*t;
	struct buf		 scratch;
	bool			 foreign;
};

/* --- texts --- */

static bool
is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

static size_t
utf16_units(struct slice s)
{
	size_t	 n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char	 c = (unsigned char)s.p[i];

		n += ((c & 0xc0) != 0x80) + (c >= 0xf0);
	}
	return n;
}

/* The text that a column of texts gets. */
static struct slice
text_of(const struct sql_column *c, const struct json_val *v, struct buf *scratch)
{
	buf_reset(scratch);
	if (v->type == JV_STRING && sql_kind_is_json(c->kind))
		return v->raw;		/* JSON text: with its quotes */
	return sql_text(v, scratch);
}

static int
refuse(const struct writer *w, size_t column, struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID, "column \"" SLICE_FMT "\" of table \"" SLICE_FMT "\" (%s): %s",
	    SLICE_ARG(w->t->table->cols[column].name), SLICE_ARG(w->t->table->name),
	    w->t->types->v[w->t->table->held[column].type].name, why);
}

static int
put_text(struct writer *w, size_t column, const struct json_val *v, struct err *err)
{
	const struct sql_column	*c = &w->t->table->cols[column];
	const struct ms_type	*type = &w->t->types->v[w->t->table->held[column].type];
	struct slice		 text = text_of(c, v, &w->scratch);
	bool			 ascii;
	int64_t			 most = w->t->table->held[column].size;

	if (text.p == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a text");
	ascii = is_ascii(text);
	if (type->class == MS_CTEXT && !ascii)
		w->foreign = true;
	if (column < w->t->table->nkeys && (most == MS_MAX || most > KEY_UNITS))
		most = KEY_UNITS;
	if (most != MS_MAX && utf16_units(text) > (size_t)most)
		return refuse(w, column, err, "the text is longer than the column; make the column longer");
	if (v->type == JV_STRING && !v->escaped && !sql_kind_is_json(c->kind))
		buf_adds_slice(w->b, v->raw);
	else
		json_out_str(w->b, text);
	return 0;
}

/* --- numbers --- */

/* What stands for a number: one, or a string of one; absent when it is neither. */
static struct slice
number_of(const struct json_val *v, struct buf *scratch)
{
	struct slice	 text = v->raw;

	if (v->type == JV_TRUE || v->type == JV_FALSE)
		return v->type == JV_TRUE ? SLICE("1") : SLICE("0");
	if (v->type == JV_STRING) {
		buf_reset(scratch);
		text = sql_text(v, scratch);
	} else if (v->type != JV_NUMBER) {
		return (struct slice){ NULL, 0 };
	}
	return text.p != NULL && sql_number_is(text) ? text : (struct slice){ NULL, 0 };
}

static int
put_integer(struct writer *w, size_t column, struct slice text, struct err *err)
{
	int64_t	 i;

	if (!sql_number_i64(text, &i))
		return refuse(w, column, err, "the number is no integer of 64 bits");
	buf_printf(w->b, "%lld", (long long)i);
	return 0;
}

static int
put_float(struct writer *w, size_t column, struct slice text, bool single, struct err *err)
{
	double	 d;

	if (!sql_number_double(text, &d) || (single && (double)(float)d != d))
		return refuse(w, column, err, "the number has more digits than the column can hold exactly; "
		    "use a DECIMAL column that is wide enough");
	buf_adds_slice(w->b, text);
	return 0;
}

/* Digits before and behind the point, without leading and trailing zeros. */
static void
count_digits(struct slice text, int *whole_r, int *fraction_r)
{
	bool	 behind = false;
	int	 zeros = 0;

	*whole_r = *fraction_r = 0;
	for (size_t i = text.p[0] == '-'; i < text.n; i++) {
		if (text.p[i] == '.') {
			behind = true;
		} else if (!behind) {
			*whole_r += *whole_r > 0 || text.p[i] != '0';
		} else if (text.p[i] == '0') {
			zeros++;
		} else {
			*fraction_r += zeros + 1;
			zeros = 0;
		}
	}
}

/* SQL Server does not convert 1E+3 to DECIMAL. */
static int
put_decimal(struct writer *w, size_t column, const struct ms_type *type, struct slice text, struct err *err)
{
	int	 whole, fraction;

	if (memchr(text.p, 'e', text.n) != NULL || memchr(text.p, 'E', text.n) != NULL)
		return refuse(w, column, err, "a number with an exponent cannot be converted to it; use FLOAT or NVARCHAR");
	count_digits(text, &whole, &fraction);
	if (whole > type->precision - type->scale || fraction > type->scale)
		return refuse(w, column, err, "the number has more digits than the column");
	buf_adds_slice(w->b, text);
	return 0;
}

static int
put_bit(struct writer *w, size_t column, struct slice text, struct err *err)
{
	int64_t	 i;

	if (!sql_number_i64(text, &i) || (i != 0 && i != 1))
		return refuse(w, column, err, "the value is neither true nor false");
	buf_adds(w->b, i == 1 ? "true" : "false");
	return 0;
}

/* --- rows --- */

static int
put_value(struct writer *w, size_t column, const struct json_val *v, struct err *err)
{
	const struct ms_type	*type = &w->t->types->v[w->t->table->held[column].type];
	struct slice		 number;

	if (v->type == JV_ABSENT || v->type == JV_NULL) {
		buf_adds(w->b, "null");
		return 0;
	}
	if (type->class == MS_NTEXT || type->class == MS_CTEXT)
		return put_text(w, column, v, err);
	if (type->class == MS_OTHER)
		return refuse(w, column, err, "this driver cannot fill a column of this type; use NVARCHAR(MAX)");
	if ((number = number_of(v, &w->scratch)).p == NULL)
		return refuse(w, column, err, "the value is no number");
	switch (type->class) {
	case MS_INTEGER:
		return put_integer(w, column, number, err);
	case MS_BIT:
		return put_bit(w, column, number, err);
	case MS_DECIMAL:
		return put_decimal(w, column, type, number, err);
	default:
		return put_float(w, column, number, type->class == MS_REAL, err);
	}
}

/* A new row has what its table demands; an old one keeps what its mask does not have (hazard H69). */
static int
put_columns(struct writer *w, const struct sql_row *r, struct err *err)
{
	const struct sql_table	*t = w->t->table;
	size_t			 n = r->what == SQL_DELETE ? t->nkeys : t->ncols;

	for (size_t i = 0; i < n; i++) {
		struct json_val	 v = r->v[i];

		if (!t->held[i].exists)
			continue;
		if (v.type == JV_ABSENT && t->held[i].demands)
			v = sql_row_default(t->cols[i].kind);
		buf_addc(w->b, ',');
		if (put_value(w, i, &v, err) != 0)
			return -1;
	}
	return 0;
}

static int
put_row(struct writer *w, const struct sql_row *r, struct err *err)
{
	static const char	 what[] = { [SQL_UPSERT] = 'U', [SQL_DELETE] = 'D', [SQL_REPLACE] = 'R' };
	const struct sql_table	*t = w->t->table;

	buf_printf(w->b, "[\"%c\",\"", what[r->what]);
	for (size_t i = 0; i < t->ncols && r->what == SQL_UPSERT; i++)
		if (t->held[i].exists)
			buf_addc(w->b, r->v[i].type == JV_ABSENT ? '0' : '1');
	buf_addc(w->b, '"');
	if (put_columns(w, r, err) != 0)
		return -1;
	buf_addc(w->b, ']');
	return 0;
}

static unsigned
parts_of(enum sql_what what)
{
	return what == SQL_DELETE ? MS_DELETES : what == SQL_REPLACE ? MS_DELETES | MS_INSERTS : MS_UPDATES | MS_INSERTS;
}

int
ms_json_rows(struct buf *b, const struct ms_target *t, struct sql_row *row, size_t n, unsigned *parts_r, bool *foreign_r,
    struct sql_row **bad_r, struct err *err)
{
	struct writer	 w = { .b = b, .t = t };
	int		 rc = 0;

	*parts_r = 0;
	*bad_r = NULL;
	buf_addc(b, '[');
	for (size_t i = 0; i < n && rc == 0; i++, row = row->next) {
		buf_adds(b, i == 0 ? "" : ",");
		if ((rc = put_row(&w, row, err)) != 0 && err->code == ERR_INVALID)
			*bad_r = row;
		*parts_r |= parts_of(row->what);
	}
	buf_addc(b, ']');
	*foreign_r = w.foreign;
	if (rc == 0 && (b->oom || w.scratch.oom))
		rc = err_set(err, ERR_NOMEM, "no memory for the rows of a table");
	buf_free(&w.scratch);
	return rc;
}

int
ms_json_foreign(struct buf *b, const struct ms_target *t, const struct sql_row *row, size_t n, size_t at, size_t *n_r,
    struct err *err)
{
	struct buf	 scratch = { 0 };
	struct slice	 text;

	*n_r = 0;
	buf_addc(b, '[');
	for (size_t i = 0; i < n; i++, row = row->next) {
		if (row->v[at].type <= JV_NULL)
			continue;
		text = text_of(&t->table->cols[at], &row->v[at], &scratch);
		if (text.p == NULL || is_ascii(text))
			continue;
		buf_printf(b, "%s[%zu,", *n_r == 0 ? "" : ",", i);
		json_out_str(b, text);
		buf_addc(b, ']');
		++*n_r;
	}
	buf_addc(b, ']');
	buf_free(&scratch);
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for the rows of a table") : 0;
}
