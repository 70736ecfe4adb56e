/* JSON values to columns: exactly, or not at all. */

#include <stdio.h>

#include "drivers/mysql/mysql_time.h"
#include "drivers/mysql/mysql_value.h"
#include "drivers/sql/number.h"
#include "drivers/sql/row.h"
#include "ipc/base/json_bytes.h"

/* --- types --- */

static const struct {
	const char	*name;
	enum my_class	 class;
	unsigned	 digits;		/* unless the column says */
	int32_t		 size;
} types[] = {
	{ "tinyint",	MY_INT, 8, 0 },
	{ "smallint",	MY_INT, 16, 0 },
	{ "mediumint",	MY_INT, 24, 0 },
	{ "int",	MY_INT, 32, 0 },
	{ "bigint",	MY_INT, 64, 0 },
	{ "decimal",	MY_DECIMAL, 0, 10 },
	{ "float",	MY_FLOAT, 0, 0 },
	{ "double",	MY_DOUBLE, 0, 0 },
	{ "datetime",	MY_TIME, 0, 0 },
	{ "timestamp",	MY_TIME, 0, 0 },
	{ "char",	MY_CHARS, 0, 1 },
	{ "varchar",	MY_CHARS, 0, 1 },
	{ "tinytext",	MY_OCTETS, 0, 255 },
	{ "text",	MY_OCTETS, 0, 65535 },
	{ "mediumtext",	MY_OCTETS, 0, 16777215 },
	{ "longtext",	MY_OCTETS, 0, INT32_MAX },
	{ "binary",	MY_OCTETS, 0, 1 },
	{ "varbinary",	MY_OCTETS, 0, 1 },
	{ "tinyblob",	MY_OCTETS, 0, 255 },
	{ "blob",	MY_OCTETS, 0, 65535 },
	{ "mediumblob",	MY_OCTETS, 0, 16777215 },
	{ "longblob",	MY_OCTETS, 0, INT32_MAX },
	{ "json",	MY_JSON, 0, 0 },
	{ "bit",	MY_BIT, 0, 1 },
};

static bool
contains(struct slice s, const char *word)
{
	return s.n > 0 && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

/* Cuts the word that a type begins with. */
static struct slice
type_name(struct slice *rest)
{
	size_t	 n = 0;

	while (n < rest->n && rest->p[n] >= 'a' && rest->p[n] <= 'z')
		n++;
	rest->n -= n;
	rest->p += n;
	return (struct slice){ rest->p - n, n };
}

/* The numbers in "(10,2)"; fewer leave the others as they are. */
static void
type_numbers(struct slice rest, uint64_t *first, uint64_t *second)
{
	struct slice	 inside, one;

	if (rest.n == 0 || rest.p[0] != '(')
		return;
	rest = (struct slice){ rest.p + 1, rest.n - 1 };
	if (!slice_cut(&rest, ')', &inside) || !slice_cut(&inside, ',', &one) || !slice_u64(one, first))
		return;
	if (slice_cut(&inside, ',', &one) && !slice_u64(one, second))
		*second = 0;
}

struct my_type
my_type_make(struct slice type, struct slice collation, struct slice extra, bool not_null)
{
	struct my_type	 t = { .class = MY_OTHER, .size = INT32_MAX };
	struct slice	 rest = type, name = type_name(&rest);
	uint64_t	 first = UINT64_MAX, second = 0;

	t.flags = (not_null ? MY_NOT_NULL : 0) | (contains(rest, "unsigned") ? MY_UNSIGNED : 0) |
	    (contains(extra, "on update") ? MY_ON_UPDATE : 0);
	for (size_t i = 0; i < NELEM(types); i++)
		if (slice_is(name, types[i].name))
			t = (struct my_type){ types[i].class, t.flags, types[i].digits, types[i].size };
	type_numbers(rest, &first, &second);
	if (first <= INT32_MAX && t.class == MY_TIME)
		t.digits = (unsigned)first;
	else if (first <= INT32_MAX && t.class != MY_INT)
		t.size = (int32_t)first;
	if (t.class == MY_DECIMAL)
		t.digits = (unsigned)second & 0xff;
	/* How many bytes a text takes in another character set only the server knows. */
	if (t.class == MY_OCTETS && collation.n > 0 && !contains(collation, "utf8"))
		t.size = INT32_MAX;
	return t;
}

uint32_t
my_type_pack(struct my_type t)
{
	return (uint32_t)t.class | t.flags << 8 | t.digits << 16;
}

struct my_type
my_type_unpack(uint32_t packed, int32_t size)
{
	return (struct my_type){ .class = (enum my_class)(packed & 0xff), .flags = packed >> 8 & 0xff,
	    .digits = packed >> 16 & 0xff, .size = size };
}

/* --- errors --- */

static int
refuse(const struct sql_column *c, struct err *err, const char *what, const char *remedy)
{
	return err_set(err, ERR_INVALID, "column \"" SLICE_FMT "\" %s%s%s", SLICE_ARG(c->name), what,
	    *remedy == '\0' ? "" : "; ", remedy);
}

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a row");
}

/* --- values --- */

/* Text that stays where it is until the arena is reset. */
static struct slice
keep(struct my_making *m, struct slice s)
{
	const char	*scratch = (const char *)m->scratch.data;

	if (s.p == NULL || scratch == NULL || s.p < scratch || s.p >= scratch + m->scratch.cap)
		return s;
	return arena_copy(&m->arena, s);
}

/*
 * The value as text, by the kind of its property.  In a JSON column a string is a JSON string, with its
 * quotes; a boolean is 1 or 0 where the column is a number.
 */
static struct slice
text_of(struct my_making *m, const struct sql_column *c, struct my_type t, const struct json_val *v)
{
	bool	 json = sql_kind_is_json(c->kind) || t.class == MY_JSON;

	if ((v->type == JV_TRUE || v->type == JV_FALSE) && !json && t.class != MY_CHARS && t.class != MY_OCTETS)
		return v->type == JV_TRUE ? SLICE("1") : SLICE("0");
	if (v->type == JV_STRING && json)
		return v->raw;
	buf_reset(&m->scratch);
	return keep(m, sql_text(v, &m->scratch));
}

static size_t
characters(struct slice s)
{
	size_t	 n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static int
make_text(const struct sql_column *c, struct my_type t, struct my_value *out, struct err *err)
{
	char	 what[96];

	/* Most texts have fewer bytes than the column takes characters. */
	if (out->text.n <= (size_t)t.size || (t.class == MY_CHARS && characters(out->text) <= (size_t)t.size))
		return 0;
	(void)snprintf(what, sizeof(what), "holds %d %s and cannot hold this value", t.size,
	    t.class == MY_CHARS ? "characters" : "bytes");
	return refuse(c, err, what, "make it a LONGTEXT, then retry");
}

/* An integer beyond int64_t for an unsigned column of 64 bits. */
static bool
unsigned_64(struct slice text, int64_t *i_r)
{
	uint64_t	 v;

	if (!slice_u64(text, &v))
		return false;
	*i_r = (int64_t)v;
	return true;
}

static int
make_int(const struct sql_column *c, struct my_type t, struct my_value *out, struct err *err)
{
	bool	 is_unsigned = (t.flags & MY_UNSIGNED) != 0;
	int64_t	 low, high;
	char	 what[96];

	high = (int64_t)(UINT64_MAX >> (64 - t.digits + (is_unsigned && t.digits < 64 ? 0 : 1)));
	low = is_unsigned ? 0 : -high - 1;
	if (slice_i64(out->text, &out->i) || sql_number_i64(out->text, &out->i)) {
		if (out->i >= low && out->i <= high)
			return 0;
	} else if (is_unsigned && t.digits == 64 && unsigned_64(out->text, &out->i)) {
		return 0;
	}
	(void)snprintf(what, sizeof(what), "is %s of %u bits and cannot hold this value",
	    is_unsigned ? "an unsigned integer" : "an integer", t.digits);
	return refuse(c, err, what, "widen it, then retry");
}

static int
make_number(const struct sql_column *c, struct my_type t, struct my_value *out, struct err *err)
{
	char	 what[96];
	double	 unused;

	switch (t.class) {
	case MY_FLOAT:
		if (sql_number_float(out->text))
			return 0;
		return refuse(c, err, "is a FLOAT, which keeps six digits, and cannot hold this value",
		    "make it a DOUBLE, then retry");
	case MY_DECIMAL:
		if (sql_number_decimal(out->text, (unsigned)t.size, t.digits))
			return 0;
		(void)snprintf(what, sizeof(what), "is a DECIMAL(%d,%u) and cannot hold this value", t.size, t.digits);
		return refuse(c, err, what, "widen it, then retry");
	default:
		if (sql_number_double(out->text, &unused))
			return 0;
		return refuse(c, err, "is a DOUBLE and cannot hold this value", "make it a DECIMAL that can, then retry");
	}
}

/* Integers of 64 bits, with or without a sign, and doubles are what MySQL's JSON has. */
static bool
fits_json(struct slice number)
{
	double	 d;
	int64_t	 i;

	return slice_i64(number, &i) || unsigned_64(number, &i) || sql_number_double(number, &d);
}

static bool
is_of_number(char c)
{
	return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* The text is JSON, so what begins with a digit or a sign outside of strings is a number. */
static int
make_json(const struct sql_column *c, struct slice text, struct err *err)
{
	const char	*p = text.p, *end = p + text.n, *from;
	bool		 escaped;

	while (p < end) {
		if (*p == '"')
			p = skip_string(p, end, &escaped);
		else if (*p != '-' && !is_digit(*p))
			p++;
		else {
			for (from = p; p < end && is_of_number(*p); )
				p++;
			if (!fits_json((struct slice){ from, (size_t)(p - from) }))
				return refuse(c, err, "is JSON, in which MySQL keeps numbers as 64 bits, and cannot hold one in "
				    "this value", "make it a LONGTEXT, then retry");
		}
	}
	return 0;
}

static int
make_time(struct my_making *m, const struct sql_column *c, struct my_type t, struct my_value *out, struct err *err)
{
	char	 store[MY_TIME_MAX];

	switch (my_time_convert(out->text, t.digits, store, &out->text)) {
	case MY_TIME_NONE:
		return refuse(c, err, "is a time and cannot hold this value", "");
	case MY_TIME_FINER:
		out->finer = true;
		break;
	case MY_TIME_FITS:
		break;
	}
	if (out->text.p == store && (out->text = arena_copy(&m->arena, out->text)).p == NULL)
		return nomem(err);
	return 0;
}

static int
make_bit(const struct sql_column *c, struct my_type t, struct my_value *out, struct err *err)
{
	if (t.size != 1 || (!slice_is(out->text, "0") && !slice_is(out->text, "1")))
		return refuse(c, err, "is a BIT and cannot hold this value", "");
	out->text = slice_is(out->text, "1") ? (struct slice){ "\1", 1 } : (struct slice){ "\0", 1 };
	return 0;
}

int
my_value_make(struct my_making *m, const struct sql_column *c, struct my_type t, const struct json_val *v,
    struct my_value *out, struct err *err)
{
	*out = (struct my_value){ .text = SLICE("") };
	if (v->type <= JV_NULL) {
		out->null = true;
		if ((t.flags & MY_NOT_NULL) != 0)
			return refuse(c, err, "is NOT NULL, and this value is null", "");
		return 0;
	}
	out->text = text_of(m, c, t, v);
	if (out->text.p == NULL)
		return nomem(err);
	switch (t.class) {
	case MY_CHARS:
	case MY_OCTETS:
		return make_text(c, t, out, err);
	case MY_INT:
		return make_int(c, t, out, err);
	case MY_DECIMAL:
	case MY_FLOAT:
	case MY_DOUBLE:
		return make_number(c, t, out, err);
	case MY_TIME:
		return make_time(m, c, t, out, err);
	case MY_BIT:
		return make_bit(c, t, out, err);
	case MY_JSON:
		return make_json(c, out->text, err);
	case MY_OTHER:
		break;
	}
	return 0;
}
