/* The answers on the control channel: pure functions from values to bytes. */

#include "drivers/fields.h"
#include "ipc/base/json_out.h"
#include "supervisor/hq/answer.h"
#include "supervisor/hq/msgpack_out.h"

/* One key of an answer; a NULL text is left out. */
struct pair {
	const char	*key;
	const char	*text;
};

static void
put_map(struct buf *out, bool success, const struct pair *pairs, size_t n)
{
	unsigned	 present = 1;

	for (size_t i = 0; i < n; i++)
		present += pairs[i].text != NULL;
	msgpack_out_map(out, present);
	msgpack_out_str(out, "success");
	msgpack_out_bool(out, success);
	for (size_t i = 0; i < n; i++)
		if (pairs[i].text != NULL) {
			msgpack_out_str(out, pairs[i].key);
			msgpack_out_str(out, pairs[i].text);
		}
}

void
answer_generic(struct buf *out, bool success, const char *message, const char *sid, const char *action)
{
	const struct pair pairs[] = { { "message", message }, { "sessionId", sid }, { "action", action } };

	put_map(out, success, pairs, NELEM(pairs));
}

void
answer_sendlogs(struct buf *out, const char *path, const char *sid)
{
	msgpack_out_map(out, 2);
	msgpack_out_str(out, "path");
	msgpack_out_str(out, path);
	msgpack_out_str(out, "sessionId");
	msgpack_out_str(out, sid);
}

void
answer_import(struct buf *out, bool success, const char *message, const char *sid)
{
	const struct pair pairs[] = { { "message", message }, { "sessionId", sid } };

	put_map(out, success, pairs, NELEM(pairs));
}

void
answer_upgrade(struct buf *out, bool success, const char *message, const char *sid, const char *version)
{
	const struct pair pairs[] = { { "message", message }, { "sessionId", sid }, { "version", version } };

	put_map(out, success, pairs, NELEM(pairs));
}

/* JSON.  Every key but the first of an object has a comma before it. */

static void
json_text(struct buf *out, const char *key, const char *text)
{
	if (text == NULL)
		return;
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_addc(out, ',');
	json_out_str(out, slice_of(key));
	buf_addc(out, ':');
	json_out_str(out, slice_of(text));
}

static void
open_reply(struct buf *out, bool success)
{
	buf_printf(out, "{\"success\":%s", success ? "true" : "false");
}

void
answer_configure(struct buf *out, bool success, const char *message, const char *masked_url, const char *sid, bool backfill)
{
	open_reply(out, success);
	json_text(out, "message", message);
	json_text(out, "maskedURL", masked_url);
	json_text(out, "sessionId", sid);
	buf_printf(out, ",\"backfill\":%s}", backfill ? "true" : "false");
}

void
answer_validate(struct buf *out, bool success, const char *message, const struct answer_field_error *errors, size_t n,
    const char *sid, const char *url)
{
	open_reply(out, success);
	json_text(out, "messsage", message);	/* three s: what HQ receives today */
	if (n > 0) {
		buf_adds(out, ",\"field_errors\":[");
		for (size_t i = 0; i < n; i++) {
			buf_adds(out, i == 0 ? "{" : ",{");
			json_text(out, "field", errors[i].field);
			json_text(out, "error", errors[i].error);
			buf_addc(out, '}');
		}
		buf_addc(out, ']');
	}
	json_text(out, "sessionId", sid);
	json_text(out, "url", url);
	buf_addc(out, '}');
}

static void
put_driver(struct buf *out, const struct driver_form *form)
{
	json_out_str(out, slice_of(form->scheme));
	buf_adds(out, ":{\"metadata\":{");
	json_text(out, "scheme", form->scheme);
	json_text(out, "name", form->name);
	json_text(out, "description", form->description);
	json_text(out, "exampleURL", form->example);
	json_text(out, "help", form->help);
	buf_printf(out, ",\"supportsImport\":true,\"supportsMigration\":%s},\"fields\":[",
	    form->tables ? "true" : "false");
	for (size_t i = 0; i < form->n_fields; i++) {
		const struct driver_field *f = &form->fields[i];

		buf_adds(out, i == 0 ? "{" : ",{");
		json_text(out, "name", f->name);
		json_text(out, "type", f->number ? "number" : "string");
		json_text(out, "format", f->secret ? "password" : NULL);
		json_text(out, "default", f->preset);
		json_text(out, "description", f->description);
		buf_printf(out, ",\"required\":%s}", f->required ? "true" : "false");
	}
	buf_adds(out, "]}");
}

void
answer_driverconfig(struct buf *out, const char *sid)
{
	const struct driver_form *forms;
	size_t	 n, put = 0;

	forms = driver_forms(&n);
	buf_adds(out, "{\"drivers\":{");
	for (size_t i = 0; i < n; i++) {
		if (!driver_form_is_offered(&forms[i]))
			continue;
		if (put++ > 0)
			buf_addc(out, ',');
		put_driver(out, &forms[i]);
	}
	buf_addc(out, '}');
	json_text(out, "sessionId", sid);
	buf_addc(out, '}');
}
