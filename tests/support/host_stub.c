/* A worker's side of a driver, for tests. */

#include "ipc/base/buf.h"
#include "tests/support/host_stub.h"

static enum drv_result
schema(void *ctx, struct slice table, struct slice version, struct slice *json_r, struct err *err)
{
	struct host_stub	*h = ctx;
	struct buf		 key = { 0 };
	const char		*text;

	h->asked++;
	if (h->schema_result != DRV_STORED) {
		err_set(err, ERR_TEMPORARY, "HQ is silent");
		return h->schema_result;
	}
	buf_printf(&key, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(table), SLICE_ARG(version));
	text = json_string_value(json_object_get(h->schemas, buf_cstr(&key)));
	buf_free(&key);
	if (text == NULL) {
		err_set(err, ERR_NOTFOUND, "HTTP 404");
		return DRV_REJECT;
	}
	*json_r = slice_of(text);
	return DRV_STORED;
}

static void
table_version(void *ctx, struct slice table, struct slice version)
{
	struct host_stub	*h = ctx;

	json_object_setn_new(h->versions, table.p, table.n, json_stringn(version.p, version.n));
}

static struct slice
known_version(void *ctx, struct slice table)
{
	struct host_stub	*h = ctx;

	return slice_of(json_string_value(json_object_getn(h->versions, table.p, table.n)));
}

static bool
stopping(void *ctx)
{
	return ((struct host_stub *)ctx)->stopping;
}

struct drv_host
host_stub(struct host_stub *h)
{
	return (struct drv_host){ h, schema, table_version, known_version, stopping };
}
