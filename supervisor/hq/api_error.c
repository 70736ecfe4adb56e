/* What HQ answered, as data or as an error text (contract/hq-api.md section 1). */

#include <stdio.h>

#include "supervisor/hq/api.h"

static enum err_code
code_of(long status)
{
	switch (status) {
	case 401:
	case 403:
		return ERR_AUTH;
	case 404:
		return ERR_NOTFOUND;
	case 409:
		return ERR_CONFLICT;
	case 408:
	case 429:
		return ERR_TEMPORARY;
	}
	return status >= 500 ? ERR_TEMPORARY : ERR_INVALID;
}

int
api_error(const struct http_response *r, const char *context, struct err *err)
{
	struct buf	 tag = { 0 };
	json_t		*root;

	if (r->status == 0)
		return err_set(err, r->err->code, "%s: %s", context, r->err->text);
	if (r->request_id.n > 0)
		buf_printf(&tag, "(requestId=" SLICE_FMT ")", SLICE_ARG(r->request_id));
	root = json_loadb(r->body.p == NULL ? "" : r->body.p, r->body.n, 0, NULL);
	if (root != NULL && json_is_object(root)) {
		const char *message = json_string_value(json_object_get(root, "message"));

		(void)err_set(err, code_of(r->status), "%s: %s %s", context, message == NULL ? "" : message, buf_cstr(&tag));
	} else
		(void)err_set(err, code_of(r->status), "%s: %.*s (status code=%ld) %s", context,
		    r->body.n > 500 ? 500 : (int)r->body.n, r->body.p == NULL ? "" : r->body.p, r->status, buf_cstr(&tag));
	json_decref(root);
	buf_free(&tag);
	return -1;
}

json_t *
api_data(const struct http_response *r, const char *context, struct err *err)
{
	json_t	*root, *data = NULL;

	if (r->status != 200) {
		(void)api_error(r, context, err);
		return NULL;
	}
	root = json_loadb(r->body.p == NULL ? "" : r->body.p, r->body.n, 0, NULL);
	if (root == NULL || !json_is_object(root)) {
		/* A proxy's own page, for instance: HQ may be behind it the next time. */
		(void)err_set(err, ERR_TEMPORARY, "%s: the answer is not the JSON that HQ sends; is something in between?", context);
	} else if (!json_is_true(json_object_get(root, "success"))) {
		const char *message = json_string_value(json_object_get(root, "message"));

		(void)err_set(err, ERR_INVALID, "%s: %s", context,
		    message == NULL || message[0] == '\0' ? "HQ refused it without saying why" : message);
	} else if (!json_is_object(json_object_get(root, "data")))
		(void)err_set(err, ERR_INVALID, "%s: the answer has no data", context);
	else
		data = json_incref(json_object_get(root, "data"));
	json_decref(root);
	return data;
}
