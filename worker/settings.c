/* The worker's configuration, as received over the socket. */

#include <stdlib.h>
#include <string.h>

#include "ipc/base/log.h"
#include "worker/settings.h"

static void
clear_texts(struct ipc_configure_body *c)
{
	c->destination = c->url = c->update_strategy = c->session = c->data_dir = c->form = c->rules = (struct slice){ NULL, 0 };
	c->table_versions = c->import_times = (struct ipc_strs){ NULL, 0 };
}

int
settings_make(struct settings *s, const struct ipc_configure_body *c, struct err *err)
{
	*s = (struct settings){ .limits = *c };
	clear_texts(&s->limits);
	if (c->queue_events == 0 || c->queue_bytes == 0)
		return err_set(err, ERR_INVALID, "CONFIGURE grants a queue of %llu events and %llu bytes; both must be above 0",
		    (unsigned long long)c->queue_events, (unsigned long long)c->queue_bytes);
	if (c->table_versions.n % 2 != 0)
		return err_set(err, ERR_INVALID, "CONFIGURE lists a table without its version");
	if (c->log_level > LOG_ERROR)
		return err_set(err, ERR_INVALID, "CONFIGURE names log level %llu; the highest is %d",
		    (unsigned long long)c->log_level, LOG_ERROR);
	s->destination = slice_dup(c->destination);
	s->url = slice_dup(c->url);
	s->update_strategy = slice_dup(c->update_strategy);
	s->session = slice_dup(c->session);
	s->data_dir = slice_dup(c->data_dir);
	s->rules = slice_dup(c->rules.p == NULL ? SLICE("") : c->rules);
	s->form = slice_dup(c->form.p == NULL ? SLICE("") : c->form);
	if (s->destination == NULL || s->url == NULL || s->update_strategy == NULL || s->session == NULL ||
	    s->data_dir == NULL || s->form == NULL || s->rules == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the configuration");
	return skip_make(&s->skip, c->import_times, err);
}

void
settings_free(struct settings *s)
{
	free(s->destination);
	free_wiped(s->url);
	free(s->update_strategy);
	free(s->session);
	free(s->data_dir);
	skip_free(&s->skip);
	free(s->rules);
	free_wiped(s->form);
	*s = (struct settings){ 0 };
}
