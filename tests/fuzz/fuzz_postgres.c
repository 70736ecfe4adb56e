/*
 * What the PostgreSQL driver reads of outside bytes: a URL, and a value of an event.  What it makes of a value
 * must be an element of a binary array: four bytes of length, and as many bytes.
 */

#include <endian.h>
#include <stdlib.h>

#include "drivers/postgres/postgres_private.h"
#include "ipc/base/json_scan.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static void
check_element(const struct buf *b)
{
	uint32_t	n;

	must(b->len >= sizeof(n), "an element without a length");
	memcpy(&n, b->data, sizeof(n));
	n = be32toh(n);
	must(n == UINT32_MAX ? b->len == sizeof(n) : b->len - sizeof(n) == n, "an element of another length");
}

static void
look_at_value(const struct json_val *v)
{
	static const uint32_t	 types[] = { PG_BOOL, PG_INT8, PG_INT4, PG_TEXT, PG_FLOAT8, PG_VARCHAR, PG_TIMESTAMPTZ,
		PG_NUMERIC, PG_JSONB };
	struct buf		 b = { 0 }, scratch = { 0 };
	const char		*why = NULL;

	for (size_t i = 0; i < NELEM(types); i++) {
		const struct sql_column	 c = { .name = SLICE("c"), .kind = types[i] == PG_JSONB ? SQL_OBJECT : SQL_STRING };
		const struct sql_held	 held = { .exists = true, .type = types[i], .size = i % 2 == 0 ? -1 : 20 };
		enum pg_fit		 fit;

		buf_reset(&b);
		fit = pg_is_native(types[i]) ? pg_value_native(&b, types[i], v, &scratch, &why) :
		    pg_value_text(&b, &c, &held, v, &scratch, &why);
		must(fit != PG_UNFIT || why != NULL, "refused without saying why");
		if (fit != PG_FITS && fit != PG_FINER)
			continue;
		check_element(&b);
		must(pg_is_native(types[i]) || b.len == 4 || memchr(b.data + 4, 0, b.len - 4) == NULL, "a NUL in a text");
	}
	buf_free(&b);
	buf_free(&scratch);
}

static void
look_at_url(const char *text)
{
	struct pg_url	 u;
	struct err	 err = { .code = ERR_NONE };

	if (pg_url_parse(&u, text, &err) != 0) {
		must(err.text[0] != '\0', "refused without saying why");
		return;
	}
	must(pg_url_param(&u, "host") != NULL && pg_url_param(&u, "port") != NULL && pg_url_param(&u, "sslmode") != NULL,
	    "a connection without a place");
	pg_url_free(&u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 text = { len == 0 ? "" : (const char *)data, len };
	struct json_val	 v;
	char		*url = slice_dup(text);

	if (json_scan(text, false, &v, NULL) == 0)
		look_at_value(&v);
	if (url != NULL)
		look_at_url(url);
	free(url);
	return 0;
}
