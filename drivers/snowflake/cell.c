/* From a JSON value to a cell of the document, and from there to the column's type. */

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "drivers/snowflake/cell.h"
#include "drivers/sql/number.h"
#include "ipc/base/json_out.h"

enum snow_type
snow_type_of(struct slice t)
{
	static const struct {
		const char	*name;
		enum snow_type	 type;
	} names[] = {
		{ "TEXT", SNOW_TEXT }, { "NUMBER", SNOW_NUMBER }, { "FLOAT", SNOW_FLOAT }, { "BOOLEAN", SNOW_BOOLEAN },
		{ "TIMESTAMP_NTZ", SNOW_TIMESTAMP_NTZ }, { "TIMESTAMP_TZ", SNOW_TIMESTAMP_TZ }, { "TIMESTAMP_LTZ", SNOW_TIMESTAMP_TZ },
		{ "DATE", SNOW_DATE }, { "TIME", SNOW_TIME }, { "VARIANT", SNOW_VARIANT }, { "OBJECT", SNOW_OBJECT },
		{ "ARRAY", SNOW_ARRAY },
	};

	for (size_t i = 0; i < NELEM(names); i++)
		if (slice_is(t, names[i].name))
			return names[i].type;
	return SNOW_OTHER;
}

const char *
snow_type_new(const struct sql_column *c, bool as_key)
{
	(void)as_key;
	switch (c->kind) {
	case SQL_DATETIME:
		return "TIMESTAMP_NTZ";
	case SQL_INTEGER:
		return "INTEGER";
	case SQL_NUMBER:
		return "FLOAT";
	case SQL_BOOLEAN:
		return "BOOLEAN";
	case SQL_ARRAY:
		return "VARIANT";
	case SQL_STRING:
	case SQL_OBJECT:
	case SQL_ENUM_ARRAY:
	case SQL_OTHER:
		break;
	}
	return "STRING";
}

/* --- numbers --- */

/* Digits and where the point stands: 12.50 is "1250" with 2 behind it. */
struct decimal {
	bool	 negative;
	char	 digits[64];
	size_t	 n;
	long	 behind;	/* may be negative: 1e3 is "1", -3 */
};

static bool
read_exponent(struct slice s, size_t at, long *exponent_r)
{
	char	 text[16] = "";
	size_t	 n = s.n - at;

	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, s.p + at, n);
	return sscanf(text, "%ld", exponent_r) == 1 && *exponent_r > -1000 && *exponent_r < 1000;
}

/* False when it is longer than any column; `s` is a JSON number. */
static bool
read_decimal(struct slice s, struct decimal *d)
{
	long	 exponent = 0;
	bool	 point = false;

	*d = (struct decimal){ .negative = s.n > 0 && s.p[0] == '-' };
	for (size_t i = d->negative; i < s.n; i++) {
		char	c = s.p[i];

		if (c == 'e' || c == 'E') {
			if (!read_exponent(s, i + 1, &exponent))
				return false;
			break;
		}
		if (c == '.') {
			point = true;
			continue;
		}
		if (d->n == sizeof(d->digits))
			return false;
		if (d->n > 0 || c != '0')
			d->digits[d->n++] = c;
		d->behind += point;
	}
	d->behind -= exponent;
	while (d->n > 0 && d->behind > 0 && d->digits[d->n - 1] == '0') {
		d->n--;
		d->behind--;
	}
	return true;
}

#define PRECISION	38

/* Plain digits, of which at most `scale` behind the point. */
static bool
add_decimal(struct buf *b, const struct decimal *d, long scale)
{
	long	 before = (long)d->n - d->behind;

	if (d->n == 0) {
		buf_addc(b, '0');
		return true;
	}
	if (d->behind > scale || before > PRECISION)
		return false;
	if (d->negative)
		buf_addc(b, '-');
	if (before <= 0)
		buf_addc(b, '0');
	for (long i = 0; i < before; i++)
		buf_addc(b, i < (long)d->n ? d->digits[i] : '0');
	if (d->behind > 0)
		buf_addc(b, '.');
	for (long i = before; i < 0; i++)
		buf_addc(b, '0');
	for (size_t i = before > 0 ? (size_t)before : 0; i < d->n; i++)
		buf_addc(b, d->digits[i]);
	return true;
}

static int
add_number(struct buf *b, const struct sql_column *c, const struct sql_held *h, struct slice text, struct err *err)
{
	struct decimal	 d;

	if (!sql_number_is(text)) {
		json_out_str(b, text);		/* Snowflake will say that it is none */
		return 0;
	}
	buf_addc(b, '"');
	if (!read_decimal(text, &d) || !add_decimal(b, &d, h->size))
		return err_set(err, ERR_INVALID, "column \"%s\" would round or cut the number: it holds %d digits, %d of them behind the "
		    "point", c->name.p, PRECISION, h->size);
	buf_addc(b, '"');
	return 0;
}

/* As spelled; a double must have that very value. */
static int
add_float(struct buf *b, const struct sql_column *c, struct slice text, struct err *err)
{
	double	 unused;

	if (sql_number_is(text) && !sql_number_double(text, &unused))
		return err_set(err, ERR_INVALID, "column \"%s\" is a FLOAT and would round the number; make it a NUMBER that can hold "
		    "it, then retry", c->name.p);
	json_out_str(b, text);
	return 0;
}

/* --- moments --- */

static bool
digits(struct slice s, size_t at, size_t n, int *out_r)
{
	*out_r = 0;
	if (at + n > s.n)
		return false;
	for (size_t i = at; i < at + n; i++) {
		if (!isdigit((unsigned char)s.p[i]))
			return false;
		*out_r = *out_r * 10 + (s.p[i] - '0');
	}
	return true;
}

struct moment {
	struct tm	 tm;
	struct slice	 fraction;	/* digits; absent when there are none */
	int		 offset_min;
};

/* yyyy-mm-ddThh:mm:ss[.f](Z|+hh:mm|-hh:mm) */
static bool
read_moment(struct slice s, struct moment *m)
{
	struct tm	*t = &m->tm;
	size_t		 at = 19;
	int		 hours, minutes;

	*m = (struct moment){ .offset_min = 0 };
	if (!digits(s, 0, 4, &t->tm_year) || !digits(s, 5, 2, &t->tm_mon) || !digits(s, 8, 2, &t->tm_mday) ||
	    !digits(s, 11, 2, &t->tm_hour) || !digits(s, 14, 2, &t->tm_min) || !digits(s, 17, 2, &t->tm_sec) ||
	    s.p[4] != '-' || s.p[7] != '-' || (s.p[10] != 'T' && s.p[10] != 't' && s.p[10] != ' ') || s.p[13] != ':' || s.p[16] != ':')
		return false;
	t->tm_year -= 1900;
	t->tm_mon -= 1;
	if (at < s.n && s.p[at] == '.') {
		m->fraction.p = s.p + ++at;
		while (at < s.n && isdigit((unsigned char)s.p[at]))
			at++;
		m->fraction.n = (size_t)(s.p + at - m->fraction.p);
	}
	if (at + 1 == s.n && (s.p[at] == 'Z' || s.p[at] == 'z'))
		return true;
	if (at + 6 != s.n || (s.p[at] != '+' && s.p[at] != '-') || !digits(s, at + 1, 2, &hours) || s.p[at + 3] != ':' ||
	    !digits(s, at + 4, 2, &minutes))
		return false;
	m->offset_min = (hours * 60 + minutes) * (s.p[at] == '-' ? -1 : 1);
	return true;
}

#define FRACTION_MOST	9

int
snow_utc(struct buf *b, struct slice text)
{
	struct moment	 m;
	struct tm	 utc;
	time_t		 when;
	char		 day[64];

	if (!read_moment(text, &m))
		return -1;
	while (m.fraction.n > 0 && m.fraction.p[m.fraction.n - 1] == '0')
		m.fraction.n--;
	if (m.fraction.n > FRACTION_MOST)
		return -1;
	when = timegm(&m.tm) - (time_t)m.offset_min * 60;
	if (gmtime_r(&when, &utc) == NULL || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
		return -1;
	buf_adds(b, day);
	if (m.fraction.n > 0)
		buf_printf(b, "." SLICE_FMT, SLICE_ARG(m.fraction));
	buf_addc(b, 'Z');
	return 0;
}

/* With Z, and for a column that keeps offsets, as it came.  What is no moment is for Snowflake to refuse. */
static int
add_moment(struct buf *b, const struct sql_column *c, const struct sql_held *h, struct slice text, struct buf *scratch,
    struct err *err)
{
	struct moment	 m;

	if (!read_moment(text, &m)) {
		json_out_str(b, text);
		return 0;
	}
	while (m.fraction.n > 0 && m.fraction.p[m.fraction.n - 1] == '0')
		m.fraction.n--;
	if (m.fraction.n > FRACTION_MOST)
		return err_set(err, ERR_INVALID, "column \"%s\" would cut the time: it holds nanoseconds", c->name.p);
	if (h->type != SNOW_TIMESTAMP_NTZ || m.offset_min == 0) {
		json_out_str(b, text);
		return 0;
	}
	buf_reset(scratch);
	if (snow_utc(scratch, text) != 0)
		return err_set(err, ERR_INVALID, "column \"%s\" is given a time that does not exist", c->name.p);
	json_out_str(b, buf_slice(scratch));
	return scratch->oom ? err_set(err, ERR_NOMEM, "no memory for a row") : 0;
}

/* --- values --- */

static bool
wants_json(const struct sql_column *c, const struct sql_held *h)
{
	return sql_kind_is_json(c->kind) || h->type == SNOW_VARIANT || h->type == SNOW_OBJECT || h->type == SNOW_ARRAY;
}

int
snow_cell_add(struct buf *b, const struct sql_column *c, const struct sql_held *h, const struct json_val *v,
    struct buf *scratch, struct err *err)
{
	struct slice	 text;

	if (v->type == JV_NULL) {
		buf_adds(b, "null");
		return 0;
	}
	buf_reset(scratch);
	text = wants_json(c, h) ? sql_json(v, scratch) : sql_text(v, scratch);
	if (text.p == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a row");
	if (h->type == SNOW_FLOAT)
		return add_float(b, c, text, err);
	if (h->type == SNOW_NUMBER)
		return add_number(b, c, h, v->type == JV_TRUE ? SLICE("1") : v->type == JV_FALSE ? SLICE("0") : text, err);
	if (h->type == SNOW_TIMESTAMP_NTZ || h->type == SNOW_TIMESTAMP_TZ) {
		struct buf	 utc = { 0 };
		int		 rc = add_moment(b, c, h, text, &utc, err);

		buf_free(&utc);
		return rc;
	}
	json_out_str(b, text);
	return 0;
}

/* What is put around a cell, which is a string, or JSON's null: that as VARCHAR is NULL. */
static const char *const	around[][2] = {
	[SNOW_TEXT] = { "", "::VARCHAR" }, [SNOW_FLOAT] = { "", "::VARCHAR::FLOAT" }, [SNOW_BOOLEAN] = { "", "::VARCHAR::BOOLEAN" },
	[SNOW_TIMESTAMP_NTZ] = { "", "::VARCHAR::TIMESTAMP_NTZ" }, [SNOW_TIMESTAMP_TZ] = { "", "::VARCHAR::TIMESTAMP_TZ" },
	[SNOW_DATE] = { "", "::VARCHAR::DATE" }, [SNOW_TIME] = { "", "::VARCHAR::TIME" },
	[SNOW_VARIANT] = { "PARSE_JSON(", "::VARCHAR)" }, [SNOW_OBJECT] = { "PARSE_JSON(", "::VARCHAR)::OBJECT" },
	[SNOW_ARRAY] = { "PARSE_JSON(", "::VARCHAR)::ARRAY" }, [SNOW_OTHER] = { "", "::VARCHAR" },
};

void
snow_cell_convert(struct buf *b, const struct sql_held *h, const char *cell)
{
	if (h->type == SNOW_NUMBER)
		buf_printf(b, "%s::VARCHAR::NUMBER(%d,%d)", cell, PRECISION, h->size);
	else
		buf_printf(b, "%s%s%s", around[h->type][0], cell, around[h->type][1]);
}

const char *
snow_cell_default(const struct sql_column *c, const struct sql_held *h)
{
	bool	 array = c->kind == SQL_ARRAY || c->kind == SQL_ENUM_ARRAY;

	switch ((enum snow_type)h->type) {
	case SNOW_NUMBER:
	case SNOW_FLOAT:
		return "0";
	case SNOW_BOOLEAN:
		return "FALSE";
	case SNOW_TEXT:
		return c->kind == SQL_OBJECT ? "'{}'" : array ? "'[]'" : "''";
	case SNOW_VARIANT:
		return array ? "PARSE_JSON('[]')" : "PARSE_JSON('{}')";
	case SNOW_OBJECT:
		return "PARSE_JSON('{}')::OBJECT";
	case SNOW_ARRAY:
		return "PARSE_JSON('[]')::ARRAY";
	case SNOW_TIMESTAMP_NTZ:
	case SNOW_TIMESTAMP_TZ:
	case SNOW_DATE:
	case SNOW_TIME:
	case SNOW_OTHER:
		break;
	}
	return NULL;
}
