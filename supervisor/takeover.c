/*
 * A data directory that the Go server has used: config.toml is read as it is, the durable consumer
 * keeps the place in the stream, and what its eds-data.db knows of tables and of the last import is taken over once,
 * so that no new import is needed.  The file itself stays as it is: the way back stays open.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "supervisor/import/import_record.h"
#include "supervisor/supervisor_private.h"
#include "supervisor/takeover/tracker.h"

#define DONE_FACT	"taken-over"

/* The Go server had one destination: HQ's, or that of the command line. */
static const char *
its_destination(const struct config *c)
{
	for (size_t i = 0; i < c->n_destinations; i++)
		if (strcmp(c->destinations[i].origin, "config.toml") == 0 || strcmp(c->destinations[i].origin, "--url") == 0)
			return c->destinations[i].name;
	return NULL;
}

/* "registry:order:version": the table in between. */
static int
take_versions(struct supervisor *s, const struct tracker *t, const char *destination, size_t *n_r, struct err *err)
{
	const size_t	 front = sizeof("registry:") - 1, back = sizeof(":version") - 1;

	for (size_t i = 0; i < t->n; i++) {
		struct slice	 key = slice_of(t->v[i].key);

		if (strncmp(key.p, "registry:", front) != 0)
			continue;
		if (store_table_version_put(s->store, destination, (struct slice){ key.p + front, key.n - front - back },
		    slice_of(t->v[i].value), err) == -1)
			return -1;
		++*n_r;
	}
	return 0;
}

/* [{"Table":"order","Timestamp":"2024-07-13T16:50:52.28080246Z"}], or null. */
static int
take_times(struct supervisor *s, const struct tracker *t, const char *destination, size_t *n_r, struct err *err)
{
	const char	*text = tracker_get(t, "table-export");
	json_t		*list = text == NULL ? NULL : json_loads(text, 0, NULL), *e;
	struct import_time *times;
	size_t		 i, n = json_array_size(list);
	int		 rc;

	if ((times = calloc(n + 1, sizeof(*times))) == NULL) {
		json_decref(list);
		return err_set(err, ERR_NOMEM, "the times of an import");
	}
	n = 0;
	json_array_foreach(list, i, e) {
		const char *table = json_string_value(json_object_get(e, "Table"));
		const char *when = json_string_value(json_object_get(e, "Timestamp"));

		if (table != NULL && when != NULL && rfc3339_parse(slice_of(when), &times[n].time_ns))
			times[n++].table = table;
	}
	*n_r = n;
	rc = n == 0 ? 0 : import_times_put(s->store, destination, times, n, err);
	free(times);
	json_decref(list);
	return rc;
}

static int
take(struct supervisor *s, const struct tracker *t, const char *destination, struct err *err)
{
	size_t	 versions = 0, times = 0;
	int	 rc;

	if (store_batch_begin(s->store, err) == -1)
		return -1;
	rc = take_versions(s, t, destination, &versions, err);
	if (rc == 0)
		rc = take_times(s, t, destination, &times, err);
	if (rc == 0)
		rc = store_fact_put(s->store, DONE_FACT, slice_of(destination), err);
	if (rc == 0)
		rc = store_batch_commit(s->store, err);
	if (rc == 0)
		log_info(&s->log, "taken over from the Go server's eds-data.db for %s: the versions of %zu tables, the times of %zu "
		    "imported ones; events go on where its consumer stands", destination, versions, times);
	return rc;
}

int
takeover(struct supervisor *s, struct err *err)
{
	const char	*destination = its_destination(s->config);
	struct buf	 path = { 0 }, fact = { 0 };
	struct tracker	 t;
	struct err	 told = { 0 };
	uint64_t	 seq;
	int		 rc = 0;

	/* Done before, or this server has had that destination without it. */
	if (destination == NULL || store_fact_get(s->store, DONE_FACT, &fact, &told) == 0 ||
	    store_cursor_get(s->store, destination, &seq, &told) == 0) {
		buf_free(&fact);
		return 0;
	}
	buf_printf(&path, "%s/eds-data.db", s->config->data_dir);
	if (tracker_load(&t, buf_cstr(&path), &told) == 0) {
		rc = take(s, &t, destination, err);
		tracker_free(&t);
	} else if (told.code != ERR_NOTFOUND)
		log_warn(&s->log, "what the Go server knew is not taken over: %s; tables are looked at anew, and a consumer that "
		    "has expired would begin at the present: import again if so", told.text);
	buf_free(&path);
	buf_free(&fact);
	return rc;
}
