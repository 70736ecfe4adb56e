/*
 * A column's type in the server's words and a JSON value for it, on a line each; any bytes as a time and as a URL.
 * A value is taken or refused with the column's name, a text that is taken fits, and a time that was converted is one
 * whose conversion changes nothing.
 */

#include <stdlib.h>

#include "drivers/mysql/mysql_time.h"
#include "drivers/mysql/mysql_url.h"
#include "drivers/mysql/mysql_value.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static void
try_time(struct slice text)
{
	char		 store[MY_TIME_MAX], again[MY_TIME_MAX];
	struct slice	 once, twice;

	for (unsigned digits = 0; digits <= 6; digits += 3) {
		if (my_time_convert(text, digits, store, &once) == MY_TIME_NONE)
			continue;
		must(my_time_convert(once, digits, again, &twice) == MY_TIME_FITS, "a converted time does not fit");
		must(twice.n >= 19 && twice.n <= once.n && memcmp(once.p + 11, twice.p + 11, twice.n - 11) == 0,
		    "a converted time is another one when it is converted again");
		for (size_t i = twice.n; i < once.n; i++)
			must(strchr("0.", once.p[i]) != NULL, "a fraction got lost when it was converted again");
	}
}

static void
try_value(struct my_type t, enum sql_kind kind, const struct json_val *v)
{
	struct sql_column	 c = { .name = SLICE("col"), .kind = kind };
	struct my_making	 m = { .arena = { 0 } };
	struct my_value		 out;
	struct err		 err = { .code = ERR_NONE };

	if (my_value_make(&m, &c, t, v, &out, &err) != 0) {
		must(strstr(err.text, "\"col\"") != NULL, "a refusal without the column");
	} else {
		must(out.text.p != NULL, "a value without a text");
		must(out.null == (v->type <= JV_NULL), "null and a value are mixed up");
		must(t.class != MY_OCTETS || out.text.n <= (size_t)t.size, "a text that is too long was taken");
	}
	arena_free(&m.arena);
	buf_free(&m.scratch);
}

static void
try_column(struct slice text)
{
	struct slice	 type;
	struct my_type	 t, back;
	struct json_val	 v;
	struct err	 err = { .code = ERR_NONE };

	if (!slice_cut(&text, '\n', &type) || text.p == NULL)
		return;
	t = my_type_make(type, SLICE("utf8mb4_bin"), type, type.n % 2 == 1);
	back = my_type_unpack(my_type_pack(t), t.size);
	must(back.class == t.class && back.flags == t.flags && back.size == t.size && back.digits == (t.digits & 0xff),
	    "a type is another one when it was packed");
	if (json_scan(text, false, &v, &err) != 0)
		return;
	for (enum sql_kind kind = SQL_STRING; kind <= SQL_OTHER; kind++)
		try_value(back, kind, &v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice	 text = { (const char *)data, n };
	struct my_url	 u;
	struct err	 err = { .code = ERR_NONE };
	char		*copy;

	if (n == 0)
		return 0;
	try_time(text);
	try_column(text);
	if ((copy = slice_dup(text)) != NULL && my_url_parse(&u, copy, &err) == 0) {
		must(u.host != NULL && u.database[0] != '\0' && u.port > 0, "a URL without a place");
		my_url_free(&u);
	}
	free(copy);
	return 0;
}
