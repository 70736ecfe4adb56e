/* What somebody typed into HQ's form, made into a URL that the driver accepts, or into what is wrong with it. */

#include <stdlib.h>

#include "drivers/fields_url.h"
#include "worker/form.h"
#include "worker/module.h"

static void
send_formed(struct life *l, struct slice url, const char *reason, const struct field_errors *errors)
{
	struct slice	*pairs = calloc(2 * errors->n + 1, sizeof(*pairs));
	struct ipc_strs	 list = { .v = pairs };

	if (pairs == NULL)
		reason = "memory is short";
	for (size_t i = 0; pairs != NULL && i < errors->n; i++) {
		pairs[list.n++] = slice_of(errors->v[i].field);
		pairs[list.n++] = slice_of(errors->v[i].error);
	}
	report_send(l->w->report, IPC_FORMED, &(union ipc_body){
		.formed = { .url = url, .reason = slice_of(reason), .errors = list } });
	free(pairs);
}

/* The driver has a say as well: what it would refuse at its start is refused here. */
static bool
suits_driver(const char *url, struct err *err)
{
	const struct driver	*driver = module_load(url, err);

	return driver != NULL && driver->validate(url, err) == 0;
}

static void
make_url(struct life *l, const json_t *doc)
{
	const struct driver_form	*form = driver_form_by_scheme(slice_of(json_string_value(json_object_get(doc, "driver"))));
	struct field_errors		 errors = { 0 };
	struct buf			 url = { 0 };
	struct err			 err = { 0 };

	if (form == NULL)
		send_formed(l, SLICE(""), "there is no form for that driver", &errors);
	else if (!fields_url(form, json_object_get(doc, "config"), &url, &errors))
		send_formed(l, SLICE(""), url.oom ? "memory is short" : "", &errors);
	else if (!suits_driver(buf_cstr(&url), &err))
		send_formed(l, SLICE(""), life_said(err.text), &errors);
	else
		send_formed(l, buf_slice(&url), "", &errors);
	field_errors_free(&errors);
	buf_free_wiped(&url);
}

void *
form_main(void *arg)
{
	struct life	 l;
	json_t		*doc;

	life_begin(&l, arg);
	/* A NUL in a field is that field's error, not the document's. */
	doc = json_loads(l.w->settings.form, JSON_ALLOW_NUL, NULL);
	make_url(&l, doc);
	json_decref(doc);
	life_end(&l, V_GOES_ON);
	return NULL;
}
