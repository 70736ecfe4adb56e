/*
 * Schemas of table versions.  The store is the memory: a schema that was fetched
 * once is there for good, also when HQ is away.  Requests for the same version
 * that is being fetched wait for the one answer.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "ipc/base/log.h"
#include "ipc/base/url.h"
#include "supervisor/hq/registry.h"

#define FACT_OBJECTS	"schema-objects"	/* {"labor_rate":"laborRate", ...}: table to HQ's object name */
#define PAUSE_MIN_MS	5000
#define PAUSE_MAX_MS	300000

struct waiter {
	struct waiter	*next;
	const void	*owner;
	registry_fn	 fn;
	void		*arg;
};

/* One version under way. */
struct fetch {
	struct registry		*registry;
	struct fetch		*next;
	char			*table, *version;
	struct http_call	*call;
	struct waiter		*waiters;	/* none left: the answer is stored all the same */
};

struct registry {
	struct ev_loop		*loop;
	struct http		*http;
	struct store		*store;
	struct log		 log;
	char			*api_url;
	json_t			*objects;	/* as FACT_OBJECTS */
	struct fetch		*fetches;
	struct fetch		*answering;	/* off the list, its waiters being called */
	struct http_call	*latest;
	ev_timer		 again;
	unsigned		 failures;
	int64_t			 fetched_at;
	char			 trouble[1000];
};

static void	refresh_again(struct ev_loop *, ev_timer *, int);

int64_t
registry_fetched_at(const struct registry *r)
{
	return r->fetched_at;
}

const char *
registry_trouble(const struct registry *r)
{
	return r->trouble;
}

static int
get(struct registry *r, const char *path, bool retry, http_fn fn, void *arg, struct http_call **call, struct err *err)
{
	struct buf		 url = { 0 };
	struct http_request	 request = { .method = "GET", .user_agent_only = true, .retry = retry };
	int			 rc;

	if (r->api_url[0] == '\0')
		return err_set(err, ERR_CONFIG, "no address of HQ's API is known: set api_url in eds.conf, or enroll");
	buf_printf(&url, "%s%s", r->api_url, path);
	request.url = buf_cstr(&url);
	rc = http_start(r->http, &request, fn, arg, call, err);
	buf_free(&url);
	return rc;
}

/* Non-200: the body's message if there is one, else status and body (contract/hq-api.md section 8.1). */
static void
why_not(const struct http_response *resp, struct buf *text)
{
	json_t		*root;
	const char	*message;

	if (resp->status == 0) {
		buf_adds(text, resp->err->text);
		return;
	}
	root = json_loadb(resp->body.p == NULL ? "" : resp->body.p, resp->body.n, 0, NULL);
	message = json_string_value(json_object_get(root, "message"));
	if (message != NULL && message[0] != '\0')
		buf_adds(text, message);
	else
		buf_printf(text, "%ld: %.*s", resp->status, resp->body.n > 300 ? 300 : (int)resp->body.n,
		    resp->body.p == NULL ? "" : resp->body.p);
	json_decref(root);
}

/* A schema has properties, keys and a table; more is for the worker to judge. */
static bool
is_schema(const json_t *schema)
{
	return json_is_object(json_object_get(schema, "properties")) && json_is_array(json_object_get(schema, "primaryKeys")) &&
	    json_is_string(json_object_get(schema, "table"));
}

/* Into the store; the text stays with the caller.  A store in trouble does not keep a schema from its worker. */
static void
keep(struct registry *r, struct slice table, struct slice version, struct slice json)
{
	struct err	 err = { 0 };

	if (store_schema_put(r->store, table, version, json, &err) != 0)
		log_warn(&r->log, "the schema of " SLICE_FMT " cannot be kept: %s", SLICE_ARG(table), err.text);
}

static void
keep_latest(struct registry *r, json_t *all)
{
	struct err	 err = { 0 };
	json_t		*objects = json_object(), *schema;
	const char	*object;
	char		*text;
	bool		 batch;

	batch = store_batch_begin(r->store, &err) == 0;
	json_object_foreach(all, object, schema) {
		const char *table = json_string_value(json_object_get(schema, "table"));
		const char *version = json_string_value(json_object_get(schema, "modelVersion"));

		if (!is_schema(schema) || version == NULL || (text = json_dumps(schema, JSON_COMPACT)) == NULL) {
			log_warn(&r->log, "the schema of %s is incomplete and left out", object);
			continue;
		}
		keep(r, slice_of(table), slice_of(version), slice_of(text));
		(void)json_object_set_new(objects, table, json_string(object));
		free(text);
	}
	if ((text = json_dumps(objects, JSON_COMPACT)) != NULL &&
	    store_fact_put(r->store, FACT_OBJECTS, slice_of(text), &err) != 0)
		log_warn(&r->log, "the names of the schemas cannot be kept: %s", err.text);
	free(text);
	if (batch && store_batch_commit(r->store, &err) != 0)
		log_warn(&r->log, "the schemas cannot be kept: %s", err.text);
	json_decref(r->objects);
	r->objects = objects;
}

static void
on_latest(void *arg, const struct http_response *resp)
{
	struct registry	*r = arg;
	struct buf	 why = { 0 };
	json_t		*all = NULL;
	int64_t		 pause = (int64_t)PAUSE_MIN_MS << (r->failures < 6 ? r->failures : 6);

	r->latest = NULL;
	if (resp->status == 200 && (all = json_loadb(resp->body.p == NULL ? "" : resp->body.p, resp->body.n, 0, NULL)) != NULL &&
	    json_is_object(all)) {
		keep_latest(r, all);
		r->fetched_at = wall_ms();
		r->failures = 0;
		r->trouble[0] = '\0';
		log_debug(&r->log, "schemas of %zu tables fetched", json_object_size(r->objects));
	} else {
		if (resp->status == 200)
			buf_adds(&why, "the answer is not the JSON that HQ sends");
		else
			why_not(resp, &why);
		(void)snprintf(r->trouble, sizeof(r->trouble), "fetch the schemas: %s", buf_cstr(&why));
		pause = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
		r->failures++;
		if ((r->failures & (r->failures - 1)) == 0)
			log_warn(&r->log, "%s; those at hand are used, trying again", r->trouble);
		ev_timer_stop(r->loop, &r->again);
		ev_timer_set(&r->again, (double)(pause / 2 + (int64_t)random_below((uint64_t)pause / 2)) / 1000, 0);
		ev_timer_start(r->loop, &r->again);
	}
	json_decref(all);
	buf_free(&why);
}

void
registry_refresh(struct registry *r)
{
	struct err	 err = { 0 };

	ev_timer_stop(r->loop, &r->again);
	if (r->latest == NULL && get(r, "/v3/schema", true, on_latest, r, &r->latest, &err) != 0) {
		struct http_response none = { .err = &err };

		on_latest(r, &none);
	}
}

static void
refresh_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	registry_refresh(timer->data);
}

static void
fetch_free(struct fetch *f)
{
	while (f->waiters != NULL) {
		struct waiter *w = f->waiters;

		f->waiters = w->next;
		free(w);
	}
	free(f->table);
	free(f->version);
	free(f);
}

static void
unlink_fetch(struct fetch *f)
{
	struct fetch	**at = &f->registry->fetches;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

static void
answer(struct fetch *f, enum registry_result result, struct slice text)
{
	f->registry->answering = f;
	while (f->waiters != NULL) {
		struct waiter *w = f->waiters;

		f->waiters = w->next;
		w->fn(w->arg, result, text);
		free(w);
	}
	f->registry->answering = NULL;
}

static void
on_version(void *arg, const struct http_response *resp)
{
	struct fetch	*f = arg;
	struct buf	 why = { 0 };
	json_t		*schema = NULL;
	char		*text = NULL;

	f->call = NULL;
	unlink_fetch(f);	/* a waiter that asks again begins anew */
	if (resp->status == 200)
		schema = json_loadb(resp->body.p == NULL ? "" : resp->body.p, resp->body.n, 0, NULL);
	if (schema != NULL && is_schema(schema) && (text = json_dumps(schema, JSON_COMPACT)) != NULL) {
		keep(f->registry, slice_of(f->table), slice_of(f->version), slice_of(text));
		answer(f, REGISTRY_FOUND, slice_of(text));
	} else if (resp->status == 404) {
		buf_printf(&why, "HQ knows no version %s of the table %s", f->version, f->table);
		answer(f, REGISTRY_UNKNOWN, buf_slice(&why));
	} else {
		buf_printf(&why, "the schema of %s, version %s, cannot be had: ", f->table, f->version);
		if (resp->status == 200)
			buf_adds(&why, "the answer is not a schema");
		else
			why_not(resp, &why);
		answer(f, REGISTRY_UNAVAILABLE, buf_slice(&why));
	}
	free(text);
	json_decref(schema);
	buf_free(&why);
	fetch_free(f);
}

/* {object} is HQ's name of the table, or the table's own when HQ did not tell. */
static void
version_path(const struct registry *r, const struct fetch *f, struct buf *path)
{
	const char	*object = json_string_value(json_object_get(r->objects, f->table));

	buf_adds(path, "/v3/schema/");
	url_escape_segment(path, slice_of(object != NULL ? object : f->table));
	buf_addc(path, '/');
	url_escape_segment(path, slice_of(f->version));
}

static struct fetch *
find_fetch(const struct registry *r, struct slice table, struct slice version)
{
	for (struct fetch *f = r->fetches; f != NULL; f = f->next)
		if (slice_is(table, f->table) && slice_is(version, f->version))
			return f;
	return NULL;
}

static struct fetch *
start_fetch(struct registry *r, struct slice table, struct slice version, struct err *err)
{
	struct fetch	*f = calloc(1, sizeof(*f));
	struct buf	 path = { 0 };

	if (f == NULL || (f->table = slice_dup(table)) == NULL || (f->version = slice_dup(version)) == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory to fetch a schema");
		goto fail;
	}
	f->registry = r;
	version_path(r, f, &path);
	if (get(r, buf_cstr(&path), false, on_version, f, &f->call, err) != 0)
		goto fail;
	buf_free(&path);
	f->next = r->fetches;
	r->fetches = f;
	return f;
fail:
	buf_free(&path);
	if (f != NULL)
		fetch_free(f);
	return NULL;
}

void
registry_get(struct registry *r, const void *owner, struct slice table, struct slice version, registry_fn fn, void *arg)
{
	struct buf	 json = { 0 };
	struct err	 err = { 0 };
	struct waiter	*w;
	struct fetch	*f;

	if (store_schema_get(r->store, table, version, &json, &err) == 0) {
		fn(arg, REGISTRY_FOUND, buf_slice(&json));
		buf_free(&json);
		return;
	}
	buf_free(&json);
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		fn(arg, REGISTRY_UNAVAILABLE, SLICE("no memory to fetch a schema"));
		return;
	}
	if ((f = find_fetch(r, table, version)) == NULL && (f = start_fetch(r, table, version, &err)) == NULL) {
		free(w);
		fn(arg, REGISTRY_UNAVAILABLE, slice_of(err.text));
		return;
	}
	*w = (struct waiter){ .next = f->waiters, .owner = owner, .fn = fn, .arg = arg };
	f->waiters = w;
}

static void
forget_in(struct fetch *f, const void *owner)
{
	struct waiter	**at = &f->waiters;

	while (*at != NULL) {
		struct waiter *w = *at;

		if (w->owner == owner) {
			*at = w->next;
			free(w);
		} else
			at = &w->next;
	}
}

void
registry_forget(struct registry *r, const void *owner)
{
	for (struct fetch *f = r->fetches; f != NULL; f = f->next)
		forget_in(f, owner);
	if (r->answering != NULL)
		forget_in(r->answering, owner);
}

/* The names from an earlier run, so that a single version can be asked for while the list is not there. */
static void
recall_objects(struct registry *r)
{
	struct buf	 text = { 0 };

	if (store_fact_get(r->store, FACT_OBJECTS, &text, NULL) == 0)
		r->objects = json_loadb(buf_cstr(&text), text.len, 0, NULL);
	buf_free(&text);
}

int
registry_new(struct registry **r_r, struct ev_loop *loop, struct http *http, struct store *store, const char *api_url,
    struct err *err)
{
	struct registry	*r = calloc(1, sizeof(*r));

	if (r == NULL || (r->api_url = slice_dup(slice_of(api_url))) == NULL) {
		free(r);
		return err_set(err, ERR_NOMEM, "no memory for the schemas");
	}
	r->loop = loop;
	r->http = http;
	r->store = store;
	log_make(&r->log, "registry", NULL);
	ev_init(&r->again, refresh_again);
	r->again.data = r;
	recall_objects(r);
	*r_r = r;
	return 0;
}

void
registry_free(struct registry **rp)
{
	struct registry	*r = *rp;

	if (r == NULL)
		return;
	while (r->fetches != NULL) {
		struct fetch *f = r->fetches;

		r->fetches = f->next;
		http_cancel(&f->call);
		fetch_free(f);
	}
	http_cancel(&r->latest);
	ev_timer_stop(r->loop, &r->again);
	json_decref(r->objects);
	free(r->api_url);
	free(r);
	*rp = NULL;
}
