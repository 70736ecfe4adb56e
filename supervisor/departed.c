/*
 * Destinations that left the configuration are no longer waited for: what
 * passes meanwhile is acknowledged without them and is not in the journal for them.  A mark in the store says so when
 * one comes back; then the stream is asked once more for what it missed.
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/supervisor_private.h"

void
departed_mark(struct supervisor *s, const char *name, bool left)
{
	struct err	 err = { 0 };
	char		 fact[80];

	(void)snprintf(fact, sizeof(fact), "left:%s", name);
	if (store_fact_put(s->store, fact, left ? SLICE("1") : SLICE("0"), &err) == -1)
		log_error(&s->log, "%s", err.text);
}

bool
departed_is(struct supervisor *s, const char *name)
{
	struct buf	 value = { 0 };
	struct err	 err = { 0 };
	char		 fact[80];
	bool		 left;

	(void)snprintf(fact, sizeof(fact), "left:%s", name);
	left = store_fact_get(s->store, fact, &value, &err) == 0 && slice_is(buf_slice(&value), "1");
	buf_free(&value);
	return left;
}

/* Those that the store knows and the configuration does not, by name; a list to free. */
struct name_list {
	const struct config	*config;
	char			*name[256];
	size_t			 n;
};

static int
collect_missing(void *arg, struct slice destination, uint64_t seq)
{
	struct name_list	*l = arg;
	char			*name = slice_dup(destination);

	(void)seq;
	if (name != NULL && l->n < NELEM(l->name) && config_destination(l->config, name) == NULL)
		l->name[l->n++] = name;
	else
		free(name);
	return 0;
}

int
departed_find(struct supervisor *s, struct err *err)
{
	struct name_list	*l = calloc(1, sizeof(*l));
	int			 rc;

	if (l == NULL)
		return err_set(err, ERR_NOMEM, "destinations");
	l->config = s->config;
	rc = store_cursors_each(s->store, collect_missing, l, err);
	for (size_t i = 0; i < l->n; i++) {
		if (!departed_is(s, l->name[i]))
			departed_mark(s, l->name[i], true);
		free(l->name[i]);
	}
	free(l);
	return rc;
}

void
departed_go_back(struct supervisor *s)
{
	if (s->go_back_to == 0 || window_count(s->window) > 0 || s->upstream == NULL)
		return;
	log_info(&s->log, "the stream is read again from %llu for a destination that was away; the others do not get anything twice",
	    (unsigned long long)s->go_back_to + 1);
	upstream_begin_anew(s->upstream, s->go_back_to);
	s->go_back_to = 0;
	upstream_hold_by_need(s);
}
