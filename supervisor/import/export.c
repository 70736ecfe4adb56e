/* The export job at HQ. */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/json_out.h"
#include "ipc/base/log.h"
#include "ipc/base/clock.h"
#include "ipc/base/url.h"
#include "supervisor/hq/api.h"
#include "supervisor/import/export.h"
#include "supervisor/import/export_name.h"

#define POLL_S		5.0
#define SAY_EVERY_MS	60000
#define POLLS_FAILED	12u		/* in a row, after which HQ is not asked any more */

struct export {
	struct export_settings	 s;		/* loop and http only */
	struct export_events	 on;
	struct log		 log;
	char			*api_url, *token, *job_id;
	struct buf		 body;		/* of the request for a new job */
	struct http_call	*call;
	ev_timer		 again;
	unsigned		 failures;
	mono_t			 said_at;
	struct export_table	*tables;
	size_t			 n;
};

static void
tables_free(struct export *e)
{
	for (size_t i = 0; i < e->n; i++) {
		for (size_t k = 0; e->tables[i].urls != NULL && k < e->tables[i].n; k++)
			free(e->tables[i].urls[k]);
		free(e->tables[i].urls);
		free(e->tables[i].table);
	}
	free(e->tables);
	e->tables = NULL;
	e->n = 0;
}

/* --- texts --- */

static void
add_list(struct buf *b, const char *key, const char *const *list)
{
	if (list == NULL || list[0] == NULL)
		return;
	buf_printf(b, "%s\"%s\":[", b->len > 1 ? "," : "", key);
	for (size_t i = 0; list[i] != NULL; i++) {
		if (i > 0)
			buf_addc(b, ',');
		json_out_str(b, slice_of(list[i]));
	}
	buf_addc(b, ']');
}

void
export_request_body(const struct export_settings *s, struct buf *b)
{
	buf_addc(b, '{');
	if (s->time_offset_ms != 0)
		buf_printf(b, "\"timeOffset\":%lld", (long long)s->time_offset_ms);
	add_list(b, "companyIds", s->company_ids);
	add_list(b, "locationIds", s->location_ids);
	add_list(b, "tables", s->tables);
	buf_addc(b, '}');
}

/* "1720889452280802460" and whatever stands behind a dot; to the microsecond.  Anything else is an error. */
static int
take_cursor(struct export_table *t, const json_t *cursor, struct err *err)
{
	struct slice	 rest = slice_of(json_string_value(cursor)), whole;
	uint64_t	 ns;

	if (rest.p == NULL || rest.n == 0)
		return 0;	/* no time: then no change counts as older than the snapshot */
	if (!slice_cut(&rest, '.', &whole) || !slice_u64(whole, &ns) || ns > INT64_MAX)
		return err_set(err, ERR_INVALID, "the export of table %s has a cursor that is no time", t->table);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return err_set(err, ERR_INVALID, "the export of table %s has a cursor that is no time", t->table);
	t->time_ns = (int64_t)(ns - ns % 1000);
	return 0;
}

/* The path of a URL, decoded; what the file is called there. */
static bool
name_of(const char *url, struct buf *path, struct export_name *name)
{
	struct url	 u;
	bool		 ok = false;

	buf_reset(path);
	if (url_parse(&u, slice_of(url), NULL) == 0) {
		buf_adds(path, u.path);
		ok = !path->oom && export_name_parse(buf_slice(path), name);
		url_free(&u);
	}
	return ok;
}

static int
take_urls(struct export_table *t, const json_t *urls, struct err *err)
{
	size_t			 n = json_array_size(urls);
	struct export_name	 name;
	struct buf		 path = { 0 };
	int			 rc = -1;

	if ((t->urls = calloc(n + 1, sizeof(*t->urls))) == NULL) {
		(void)err_set(err, ERR_NOMEM, "the files of an export");
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		const char *url = json_string_value(json_array_get(urls, i));

		if (url == NULL || !name_of(url, &path, &name)) {
			(void)err_set(err, ERR_INVALID, "the export of table %s has a file whose name has not the form of an export's", t->table);
			goto out;
		}
		if (name.time_ns > t->time_ns)
			t->time_ns = name.time_ns;
		if ((t->urls[t->n++] = strdup(url)) == NULL) {
			(void)err_set(err, ERR_NOMEM, "the files of an export");
			goto out;
		}
	}
	rc = 0;
out:
	buf_free(&path);
	return rc;
}

static int
take_table(struct export *e, const char *table, const json_t *o, struct err *err)
{
	struct export_table	*t = &e->tables[e->n];
	const json_t		*urls = json_object_get(o, "urls");

	*t = (struct export_table){ .table = strdup(table) };
	if (t->table == NULL)
		return err_set(err, ERR_NOMEM, "the tables of an export");
	e->n++;
	if (json_array_size(urls) == 0)
		return take_cursor(t, json_object_get(o, "cursor"), err);
	return take_urls(t, urls, err);
}

int
export_take_answer(struct export *e, const void *json_data, size_t *completed_r, size_t *total_r, struct err *err)
{
	const json_t	*data = json_data, *tables = json_object_get(data, "tables"), *o;
	json_t		*walk = json_object_get(data, "tables");
	const char	*table;

	tables_free(e);
	*completed_r = 0;
	*total_r = json_object_size(tables);
	if ((e->tables = calloc(*total_r + 1, sizeof(*e->tables))) == NULL)
		return err_set(err, ERR_NOMEM, "the tables of an export");
	json_object_foreach(walk, table, o) {
		const char *status = json_string_value(json_object_get(o, "status"));
		const char *why = json_string_value(json_object_get(o, "error"));

		if (status != NULL && strcmp(status, "Failed") == 0)
			return err_set(err, ERR_IO, "error exporting table %s: %s", table, why == NULL ? "" : why);
		*completed_r += status != NULL && strcmp(status, "Completed") == 0;
	}
	if (!json_is_true(json_object_get(data, "completed")))
		return 0;
	json_object_foreach(walk, table, o)
		if (take_table(e, table, o, err) == -1)
			return -1;
	return 1;
}

const struct export_table *
export_tables(const struct export *e, size_t *n_r)
{
	*n_r = e->n;
	return e->tables;
}

/* --- asking --- */

static void	poll_job(struct export *);

static void
on_again(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	poll_job(w->data);
}

static void
again_in(struct export *e, double seconds)
{
	ev_timer_stop(e->s.loop, &e->again);
	ev_timer_set(&e->again, seconds, 0.);
	ev_timer_start(e->s.loop, &e->again);
}

static void
say_progress(struct export *e, size_t completed, size_t total)
{
	if (total == 0 || (e->said_at != 0 && mono_now() - e->said_at < SAY_EVERY_MS))
		return;
	e->said_at = mono_now();
	log_info(&e->log, "Export Progress: %zu/%zu (%.2f%%)", completed, total, 100.0 * (double)completed / (double)total);
}

/* An answer that is none, or that HQ is away: for a while it is asked on. */
static void
poll_failed(struct export *e, const struct err *err)
{
	if (err->code == ERR_TEMPORARY && ++e->failures < POLLS_FAILED) {
		log_warn(&e->log, "%s; asking again", err->text);
		again_in(e, POLL_S);
		return;
	}
	e->on.failed(e->on.arg, err);
}

static void
on_status(void *arg, const struct http_response *r)
{
	struct export	*e = arg;
	struct err	 err = { 0 };
	size_t		 completed = 0, total = 0;
	json_t		*data;
	int		 rc;

	e->call = NULL;
	if ((data = api_data(r, "import", &err)) == NULL) {
		poll_failed(e, &err);
		return;
	}
	e->failures = 0;
	rc = export_take_answer(e, data, &completed, &total, &err);
	json_decref(data);
	if (rc == -1) {
		e->on.failed(e->on.arg, &err);
		return;
	}
	say_progress(e, completed, total);
	if (rc == 0) {
		again_in(e, POLL_S);
		e->on.progress(e->on.arg, e->job_id, completed, total);
	} else
		e->on.complete(e->on.arg, e->tables, e->n);
}

static int
ask(struct export *e, const char *method, const char *job, struct slice body, http_fn fn, struct err *err)
{
	struct buf		 url = { 0 };
	struct http_request	 request = { .method = method, .token = e->token, .std_headers = true, .body = body, .retry = true };
	int			 rc;

	buf_printf(&url, "%s/v3/export/bulk", e->api_url);
	if (job != NULL) {
		buf_addc(&url, '/');
		url_escape_segment(&url, slice_of(job));
	}
	request.url = buf_cstr(&url);
	rc = url.oom ? err_set(err, ERR_NOMEM, "asking for an export") : http_start(e->s.http, &request, fn, e, &e->call, err);
	buf_free(&url);
	return rc;
}

static void
poll_job(struct export *e)
{
	struct err	 err = { 0 };

	if (e->call == NULL && ask(e, "GET", e->job_id, (struct slice){ NULL, 0 }, on_status, &err) == -1)
		e->on.failed(e->on.arg, &err);
}

static void
on_created(void *arg, const struct http_response *r)
{
	struct export	*e = arg;
	struct err	 err = { 0 };
	json_t		*data = api_data(r, "import", &err);
	const char	*id = json_string_value(json_object_get(data, "jobId"));

	e->call = NULL;
	if (data != NULL && (id == NULL || id[0] == '\0' || strlen(id) > 200))
		(void)err_set(&err, ERR_INVALID, "import: HQ gave the export no job id");
	else if (data != NULL && (e->job_id = strdup(id)) == NULL)
		(void)err_set(&err, ERR_NOMEM, "import");
	json_decref(data);
	if (err.code != ERR_NONE) {
		e->on.failed(e->on.arg, &err);
		return;
	}
	log_info(&e->log, "export job %s", e->job_id);
	again_in(e, 0.);	/* the first time at once */
	e->on.progress(e->on.arg, e->job_id, 0, 0);
}

void
export_refresh(struct export *e)
{
	ev_timer_stop(e->s.loop, &e->again);
	poll_job(e);
}

int
export_new(struct export **e_r, const struct export_settings *s, const struct export_events *on, struct err *err)
{
	struct export	*e = calloc(1, sizeof(*e));
	struct slice	 api = slice_of(s->api_url);
	int		 rc;

	if (e == NULL)
		return err_set(err, ERR_NOMEM, "import");
	while (api.n > 0 && api.p[api.n - 1] == '/')
		api.n--;
	e->s = *s;
	e->on = *on;
	log_make(&e->log, "import", NULL);
	ev_init(&e->again, on_again);
	e->again.data = e;
	e->api_url = slice_dup(api);
	e->token = strdup(s->token);
	export_request_body(s, &e->body);
	if (e->api_url == NULL || e->token == NULL || e->body.oom || (s->job_id != NULL && (e->job_id = strdup(s->job_id)) == NULL)) {
		export_free(&e);
		return err_set(err, ERR_NOMEM, "import");
	}
	rc = e->job_id != NULL ? ask(e, "GET", e->job_id, (struct slice){ NULL, 0 }, on_status, err) :
	    ask(e, "POST", NULL, buf_slice(&e->body), on_created, err);
	if (rc == -1)
		export_free(&e);
	else
		*e_r = e;
	return rc;
}

void
export_free(struct export **ep)
{
	struct export	*e = *ep;

	*ep = NULL;
	if (e == NULL)
		return;
	http_cancel(&e->call);
	ev_timer_stop(e->s.loop, &e->again);
	tables_free(e);
	free_wiped(e->token);
	free(e->api_url);
	free(e->job_id);
	buf_free(&e->body);
	free(e);
}
