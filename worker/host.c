/*
 * The driver's questions.  They are asked in the driver thread; schemas come from
 * the supervisor, and the driver thread waits until the main thread has brought
 * the answer.  That wait is not the driver's doing and does not count as busy.
 */

#include <stdlib.h>

#include "worker/host.h"

#define ANSWER_US	((uint64_t)60 * 1000000)	/* the supervisor answers at once, if only "not now" */

/* Schema texts by table and version, and the version of each table: few, so lists will do. */
struct known {
	struct known	*next;
	char		*table;
	char		*version;
	char		*json;		/* NULL in the list of versions */
};

struct host {
	struct drv_host	 callbacks;
	struct worker	*worker;
	struct known	*schemas;
	struct known	*versions;
};

static void
known_free(struct known *k)
{
	if (k == NULL)
		return;
	free(k->table);
	free(k->version);
	free(k->json);
	free(k);
}

static void
known_free_all(struct known *k)
{
	struct known	*next;

	for (; k != NULL; k = next) {
		next = k->next;
		known_free(k);
	}
}

/* Takes `json` over, even when it fails. */
static struct known *
known_add(struct known **list, struct slice table, struct slice version, char *json)
{
	struct known	*k = calloc(1, sizeof(*k));

	if (k == NULL) {
		free(json);
		return NULL;
	}
	k->table = slice_dup(table);
	k->version = slice_dup(version);
	k->json = json;
	if (k->table == NULL || k->version == NULL) {
		known_free(k);
		return NULL;
	}
	k->next = *list;
	*list = k;
	return k;
}

/* `version` absent: any. */
static struct known *
known_find(struct known *k, struct slice table, struct slice version)
{
	for (; k != NULL; k = k->next)
		if (slice_is(table, k->table) && (version.p == NULL || slice_is(version, k->version)))
			return k;
	return NULL;
}

static bool
remember_version(struct host *h, struct slice table, struct slice version)
{
	struct known	*k = known_find(h->versions, table, (struct slice){ NULL, 0 });
	char		*text;

	if (k == NULL)
		return known_add(&h->versions, table, version, NULL) != NULL;
	if ((text = slice_dup(version)) == NULL)
		return false;
	free(k->version);
	k->version = text;
	return true;
}

/* Writes the question down, for host_answer() to recognise its answer. */
static bool
ask(struct worker *w, struct slice table, struct slice version)
{
	struct worker_answer	*a = &w->answer;
	bool			 ok;

	worker_lock(w);
	free(a->table);
	free(a->version);
	a->table = slice_dup(table);
	a->version = slice_dup(version);
	ok = a->table != NULL && a->version != NULL;
	a->state = ok ? ANSWER_WANTED : ANSWER_NONE;
	worker_unlock(w);
	if (ok)
		report_send(w->report, IPC_SCHEMA_WANTED, &(union ipc_body){
			.schema_wanted = { .table = table, .version = version } });
	return ok;
}

/* Waits for it; *json_r then belongs to the caller. */
static bool
await(struct worker *w, uint64_t *status_r, char **json_r, struct err *err)
{
	struct worker_answer	*a = &w->answer;
	uint64_t		 until = mono_us() + ANSWER_US, now;
	bool			 here;

	worker_lock(w);
	while (a->state != ANSWER_HERE && w->end < WORKER_STOPS && (now = mono_us()) < until)
		worker_wait(w, until - now);
	if ((here = a->state == ANSWER_HERE)) {
		*status_r = a->status;
		*json_r = a->json;
		a->json = NULL;
	} else if (w->end == WORKER_STOPS)
		(void)err_set(err, ERR_TEMPORARY, "the worker is stopping");
	else
		(void)err_set(err, ERR_TEMPORARY, "eds has not answered the question for a schema for %d seconds",
		    (int)(ANSWER_US / 1000000));
	a->state = ANSWER_NONE;
	worker_unlock(w);
	return here;
}

static enum drv_result
fetch_schema(struct host *h, struct slice table, struct slice version, struct slice *json_r, struct err *err)
{
	struct known	*k;
	uint64_t	 status;
	char		*json;

	if (!ask(h->worker, table, version)) {
		(void)err_set(err, ERR_NOMEM, "no memory to ask for a schema");
		return DRV_RETRY;
	}
	if (!await(h->worker, &status, &json, err))
		return DRV_RETRY;
	if (status != 0) {
		(void)err_set(err, status == 1 ? ERR_NOTFOUND : ERR_TEMPORARY, "%s", json);
		free(json);
		return status == 1 ? DRV_REJECT : DRV_RETRY;
	}
	if ((k = known_add(&h->schemas, table, version, json)) == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for a schema");
		return DRV_RETRY;
	}
	*json_r = slice_of(k->json);
	return DRV_STORED;
}

static enum drv_result
host_schema(void *ctx, struct slice table, struct slice version, struct slice *json_r, struct err *err)
{
	struct host	*h = ctx;
	struct known	*k = known_find(h->schemas, table, version);
	enum drv_result	 rc;

	if (k != NULL) {
		*json_r = slice_of(k->json);
		return DRV_STORED;
	}
	worker_call_ends(h->worker);
	rc = fetch_schema(h, table, version, json_r, err);
	worker_call_begins(h->worker);
	return rc;
}

static void
host_table_version(void *ctx, struct slice table, struct slice version)
{
	struct host	*h = ctx;

	if (!remember_version(h, table, version))
		log_warn(NULL, "no memory to remember the version of a table; the supervisor records it all the same");
	report_send(h->worker->report, IPC_TABLE_VERSION, &(union ipc_body){
		.table_version = { .table = table, .version = version } });
}

static struct slice
host_known_version(void *ctx, struct slice table)
{
	struct host	*h = ctx;
	struct known	*k = known_find(h->versions, table, (struct slice){ NULL, 0 });

	return k == NULL ? (struct slice){ NULL, 0 } : slice_of(k->version);
}

static bool
host_stopping(void *ctx)
{
	struct host	*h = ctx;

	return worker_end(h->worker) != WORKER_GOES_ON;
}

struct host *
host_new(struct worker *w, struct ipc_strs versions)
{
	struct host	*h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->worker = w;
	h->callbacks = (struct drv_host){ .ctx = h, .schema = host_schema, .table_version = host_table_version,
	    .known_version = host_known_version, .stopping = host_stopping };
	for (size_t i = 0; i + 1 < versions.n; i += 2) {
		if (!remember_version(h, versions.v[i], versions.v[i + 1])) {
			host_free(&h);
			return NULL;
		}
	}
	return h;
}

void
host_free(struct host **h)
{
	if (*h == NULL)
		return;
	known_free_all((*h)->schemas);
	known_free_all((*h)->versions);
	free(*h);
	*h = NULL;
}

const struct drv_host *
host_callbacks(const struct host *h)
{
	return &h->callbacks;
}

int
host_answer(struct worker *w, const struct ipc_schema_body *body, struct err *err)
{
	struct worker_answer	*a = &w->answer;
	char			*json = slice_dup(body->json);

	if (json == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a schema of %zu bytes", body->json.n);
	worker_lock(w);
	if (a->state == ANSWER_WANTED && slice_is(body->table, a->table) && slice_is(body->version, a->version)) {
		free(a->json);
		a->json = json;
		a->status = body->status;
		a->state = ANSWER_HERE;
		json = NULL;
		(void)pthread_cond_broadcast(&w->wake);
	}
	worker_unlock(w);
	free(json);
	return 0;
}
