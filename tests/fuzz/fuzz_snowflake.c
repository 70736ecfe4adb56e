/* What comes from outside into the Snowflake driver: its URL, and the server's answers. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "drivers/snowflake/account.h"
#include "drivers/snowflake/cell.h"
#include "drivers/snowflake/jwt.h"
#include "drivers/snowflake/result.h"
#include "drivers/snowflake/stage.h"
#include "drivers/snowflake/trouble.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
try_url(struct slice text)
{
	char			*url = slice_dup(text);
	struct snow_account	 a;
	struct err		 err;

	if (url != NULL && snow_account_parse(&a, url, &err) == 0) {
		/* What is accepted names a host to go to, by TLS unless that is this machine. */
		if (a.host[0] == '\0' || a.user[0] == '\0' || a.database == NULL)
			abort();
		snow_account_free(&a);
	}
	free(url);
}

static int
take_row(void *arg, const struct snow_row *row, struct err *err)
{
	(void)arg;
	(void)err;
	(void)snow_cell(row, "TABLE_NAME");
	return 0;
}

static void
try_result(const struct json_val *data)
{
	struct snow_columns	 c;
	struct json_val		 rows = json_member(data, "rowset");
	struct err		 err;

	if (snow_columns_read(&c, data, &err) != 0)
		return;
	if (rows.type == JV_ARRAY)
		(void)!snow_rows_read(&c, &rows, take_row, NULL, &err);
	snow_columns_free(&c);
}

static void
try_stage(const struct json_val *data)
{
	struct snow_envelope	 e = { .key = "k", .iv = "i", .bits = 128 };
	struct snow_stage	 s;
	struct snow_upload	 u;
	struct err		 err;

	if (snow_stage_parse(&s, data, &err) != 0)
		return;
	if (snow_upload_make(&u, &s, "https", "file.gz", "digest", &e, 0, &err) == 0)
		snow_upload_free(&u);
	snow_stage_free(&s);
}

static void
try_answer(struct slice text)
{
	struct snow_account	 a = { .name = (char *)(uintptr_t)"acc", .user = (char *)(uintptr_t)"u",
				    .database = (char *)(uintptr_t)"d", .client_id = (char *)(uintptr_t)"Go",
				    .client_version = (char *)(uintptr_t)"1" };
	struct snow_reply	 r;
	struct err		 err = { .code = ERR_NONE };

	if (snow_reply_parse(&r, text, &err) != 0)
		return;
	(void)snow_login_refused(&a, NULL, &r, &err);
	(void)snow_refused(&r, "testing", true, NULL, &err);
	if (r.data.type == JV_OBJECT) {
		try_result(&r.data);
		try_stage(&r.data);
	}
}

static void
try_texts(struct slice text)
{
	struct buf	 b = { 0 };
	struct snow_key	*k = NULL;
	struct err	 err;

	(void)!snow_chunk_text(&b, text, &err);
	buf_reset(&b);
	(void)!snow_utc(&b, text);
	if (snow_key_parse(&k, text, "x", &err) == 0)
		snow_key_free(&k);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 text = { (const char *)data, len };

	try_url(text);
	try_answer(text);
	try_texts(text);
	return 0;
}
