/*
 * Values as elements of binary arrays.  Integers, doubles, booleans and times go in the type's own form,
 * which spares the server their texts; everything else goes as text, for the server to
 * cast.  What a cast would round or cut without a word is found here.
 *
 * NUL characters, which PostgreSQL cannot hold in any text, are left out (hazard H31).
 */

#include <endian.h>
#include <stdio.h>

#include "drivers/postgres/postgres_private.h"
#include "drivers/sql/number.h"

#define NULL_ELEMENT	UINT32_MAX

static const char	why_integer[] = "holds integers of 64 bits only";
static const char	why_double[] = "holds double precision only, which would round this number";
static const char	why_decimals[] = "holds fewer decimals than this number has";
static const char	why_long[] = "holds fewer characters than this text has";
static const char	why_time[] = "holds points in time only";

void
pg_add_u32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, sizeof(v));
}

static void
add_u64(struct buf *b, uint64_t v)
{
	pg_add_u32(b, sizeof(v));
	v = htobe64(v);
	buf_add(b, &v, sizeof(v));
}

static void
add_double(struct buf *b, double v)
{
	uint64_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	add_u64(b, bits);
}

static void
add_bool(struct buf *b, bool v)
{
	pg_add_u32(b, 1);
	buf_addc(b, v ? 1 : 0);
}

bool
pg_is_native(uint32_t oid)
{
	return oid == PG_INT8 || oid == PG_FLOAT8 || oid == PG_BOOL || oid == PG_TIMESTAMPTZ;
}

/* --- times --- */

static bool
digits(const char **p, const char *end, int n, int *v_r)
{
	*v_r = 0;
	if (end - *p < n)
		return false;
	for (; n > 0; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return false;
		*v_r = *v_r * 10 + (**p - '0');
	}
	return true;
}

static bool
literal(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	++*p;
	return true;
}

static int
days_in_month(int year, int month)
{
	static const int	days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool			leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days from 2000-01-01, proleptic Gregorian. */
static int64_t
days_from_2000(int year, int month, int day)
{
	int64_t	y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	int64_t	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 730425;
}

/* Microseconds; *finer_r: there are digits beyond them. */
static bool
fraction(const char **p, const char *end, int64_t *us_r, bool *finer_r)
{
	int64_t	unit = 100000;

	*us_r = 0;
	*finer_r = false;
	if (*p == end || **p != '.')
		return true;
	for (++*p; *p < end && **p >= '0' && **p <= '9'; ++*p, unit /= 10) {
		*us_r += unit * (**p - '0');
		*finer_r |= unit == 0 && **p != '0';
	}
	return (*p)[-1] != '.';
}

static bool
zone(const char **p, const char *end, int64_t *minutes_r)
{
	int	hours, minutes, sign;

	*minutes_r = 0;
	if (*p == end)
		return false;
	if (**p == 'Z' || **p == 'z') {
		++*p;
		return true;
	}
	sign = **p == '+' ? 1 : -1;
	if ((**p != '+' && **p != '-') || (++*p, !digits(p, end, 2, &hours)) || !literal(p, end, ':') ||
	    !digits(p, end, 2, &minutes) || hours > 15 || minutes > 59)
		return false;
	*minutes_r = sign * (hours * 60 + minutes);
	return true;
}

/* RFC 3339, years 1 to 9999.  False: let the server have a look. */
static bool
time_parse(struct slice text, int64_t *us_r, bool *finer_r)
{
	const char	*p = text.p, *end = p + text.n;
	int		 year, month, day, hour, minute, second;
	int64_t		 us, offset;

	if (!digits(&p, end, 4, &year) || !literal(&p, end, '-') || !digits(&p, end, 2, &month) || !literal(&p, end, '-') ||
	    !digits(&p, end, 2, &day) || p == end || (*p != 'T' && *p != 't' && *p != ' '))
		return false;
	p++;
	if (!digits(&p, end, 2, &hour) || !literal(&p, end, ':') || !digits(&p, end, 2, &minute) || !literal(&p, end, ':') ||
	    !digits(&p, end, 2, &second) || !fraction(&p, end, &us, finer_r) || !zone(&p, end, &offset) || p != end)
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
	    second > 59)
		return false;
	*us_r = ((days_from_2000(year, month, day) * 24 + hour) * 60 + minute - offset) * 60000000 +
	    (int64_t)second * 1000000 + us;
	return true;
}

static enum pg_fit
native_time(struct buf *b, const struct json_val *v, struct buf *scratch, const char **why_r)
{
	struct slice	text;
	int64_t		us;
	bool		finer;

	*why_r = why_time;
	if (v->type != JV_STRING)
		return PG_UNFIT;
	buf_reset(scratch);
	if ((text = json_text(v, scratch)).p == NULL)
		return PG_NOMEM;
	if (!time_parse(text, &us, &finer)) {
		/* Not for the server to see: `now`, `infinity`, `epoch` mean something there. */
		return text.n > 0 && text.p[0] >= '0' && text.p[0] <= '9' ? PG_AS_TEXT : PG_UNFIT;
	}
	add_u64(b, (uint64_t)us);
	return finer ? PG_FINER : PG_FITS;
}

/* --- numbers --- */

static enum pg_fit
native_number(struct buf *b, uint32_t oid, struct slice text, const char **why_r)
{
	int64_t	i;
	double	x;

	if (oid == PG_INT8) {
		*why_r = why_integer;
		if (!sql_number_i64(text, &i))
			return PG_UNFIT;
		add_u64(b, (uint64_t)i);
		return PG_FITS;
	}
	*why_r = why_double;
	if (!sql_number_double(text, &x))
		return PG_UNFIT;
	add_double(b, x);
	return PG_FITS;
}

enum pg_fit
pg_value_native(struct buf *b, uint32_t oid, const struct json_val *v, struct buf *scratch, const char **why_r)
{
	struct slice	text;

	if (v->type <= JV_NULL) {
		pg_add_u32(b, NULL_ELEMENT);
		return PG_FITS;
	}
	if (oid == PG_TIMESTAMPTZ)
		return native_time(b, v, scratch, why_r);
	if (v->type == JV_TRUE || v->type == JV_FALSE) {
		if (oid == PG_BOOL)
			add_bool(b, v->type == JV_TRUE);
		else if (oid == PG_INT8)
			add_u64(b, v->type == JV_TRUE);
		else
			add_double(b, v->type == JV_TRUE);
		return PG_FITS;
	}
	if (oid == PG_BOOL || v->type >= JV_OBJECT)
		return PG_AS_TEXT;
	if (v->type == JV_NUMBER)
		return native_number(b, oid, v->raw, why_r);
	buf_reset(scratch);
	if ((text = json_text(v, scratch)).p == NULL)
		return PG_NOMEM;
	return sql_number_is(text) ? native_number(b, oid, text, why_r) : PG_AS_TEXT;
}

/* --- text --- */

/* The escape of a NUL inside JSON, which jsonb refuses; a backslash that is escaped itself begins none. */
static size_t
skip_nul_escape(struct slice s, size_t at)
{
	return s.n - at >= 6 && memcmp(s.p + at, "\\u0000", 6) == 0 ? 6 : 0;
}

static void
add_json(struct buf *b, struct slice s)
{
	size_t	n;

	if (memmem(s.p, s.n, "\\u0000", 6) == NULL) {
		buf_adds_slice(b, s);
		return;
	}
	for (size_t at = 0; at < s.n; at += n) {
		if ((n = skip_nul_escape(s, at)) > 0)
			continue;
		n = s.p[at] == '\\' && at + 1 < s.n ? 2 : 1;
		buf_add(b, s.p + at, n);
	}
}

static void
add_text(struct buf *b, struct slice s)
{
	const char	*nul;
	size_t		 n;

	while (s.n > 0 && (nul = memchr(s.p, '\0', s.n)) != NULL) {
		n = (size_t)(nul - s.p);
		buf_add(b, s.p, n);
		s = (struct slice){ nul + 1, s.n - n - 1 };
	}
	buf_adds_slice(b, s);
}

static size_t
characters(struct slice s)
{
	size_t	n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* Would a cast to the column's type, or the assignment, change the text without a word? */
static bool
fits_size(const struct sql_held *held, struct slice text, const char **why_r)
{
	long	decimals;

	if (held->size < 4)
		return true;	/* the type has no size of its own */
	if (held->type == PG_VARCHAR || held->type == PG_BPCHAR) {
		*why_r = why_long;
		return text.n <= (size_t)(held->size - 4) || characters(text) <= (size_t)(held->size - 4);
	}
	if (held->type == PG_NUMERIC && sql_number_is(text)) {
		*why_r = why_decimals;
		return sql_number_decimals(text, &decimals) && decimals <= ((held->size - 4) & 0x7ff);
	}
	return true;
}

static bool
is_integer(uint32_t oid)
{
	return oid == PG_INT8 || oid == PG_INT4 || oid == PG_INT2;
}

/* 1e3 and 5.0 are integers to JSON, and not to PostgreSQL. */
static struct slice
plain_integer(struct slice text, char *room, size_t size)
{
	int64_t	i;

	if (!sql_number_i64(text, &i))
		return text;
	return (struct slice){ room, (size_t)snprintf(room, size, "%lld", (long long)i) };
}

enum pg_fit
pg_value_text(struct buf *b, const struct sql_column *c, const struct sql_held *held, const struct json_val *v,
    struct buf *scratch, const char **why_r)
{
	bool		as_json = held->type == PG_JSONB || held->type == PG_JSON || sql_kind_is_json(c->kind);
	struct slice	text;
	size_t		at = b->len;
	uint32_t	n;
	char		room[32];

	pg_add_u32(b, NULL_ELEMENT);
	if (v->type <= JV_NULL)
		return PG_FITS;
	buf_reset(scratch);
	text = as_json ? sql_json(v, scratch) : sql_text(v, scratch);
	if (text.p == NULL)
		return PG_NOMEM;
	if (is_integer(held->type) && v->type == JV_NUMBER)
		text = plain_integer(text, room, sizeof(room));
	if (!fits_size(held, text, why_r))
		return PG_UNFIT;
	if (as_json)
		add_json(b, text);
	else
		add_text(b, text);
	if (b->oom)
		return PG_NOMEM;
	n = htobe32((uint32_t)(b->len - at - sizeof(n)));
	memcpy(b->data + at, &n, sizeof(n));
	return PG_FITS;
}
