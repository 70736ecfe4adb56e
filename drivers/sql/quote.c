/* Names from HQ's schema inside SQL text. */

#include "drivers/sql/quote.h"

int
sql_quote_with(struct buf *b, struct slice name, char open, char close, struct err *err)
{
	if (name.n == 0)
		return err_set(err, ERR_INVALID, "a table or column has an empty name; correct it in HQ's schema");
	if (memchr(name.p, '\0', name.n) != NULL)
		return err_set(err, ERR_INVALID, "the name of a table or column holds a NUL character; correct it in HQ's schema");
	buf_addc(b, open);
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == close)
			buf_addc(b, close);
		buf_addc(b, name.p[i]);
	}
	buf_addc(b, close);
	return 0;
}

int
sql_quote(struct buf *b, struct slice name, struct err *err)
{
	return sql_quote_with(b, name, '"', '"', err);
}
