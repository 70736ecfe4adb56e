/* An import as a fact in the store: JSON, because it is looked at by people too. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/import/import_record.h"

static const char *const state_names[] = {
	[IMPORT_EXPORTING] = "exporting", [IMPORT_LOADING] = "loading", [IMPORT_ENDING] = "ending", [IMPORT_DONE] = "done",
	[IMPORT_FAILED] = "failed", [IMPORT_CANCELLED] = "cancelled",
};

const char *
import_state_name(enum import_state s)
{
	return state_names[s];
}

bool
import_record_is_open(const struct import_record *r)
{
	return r->state == IMPORT_EXPORTING || r->state == IMPORT_LOADING || r->state == IMPORT_ENDING;
}

/* --- lists --- */

char **
import_list_copy(const char *const *list)
{
	size_t	 n = 0;
	char	**copy;

	if (list == NULL)
		return NULL;
	while (list[n] != NULL)
		n++;
	if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if ((copy[i] = strdup(list[i])) == NULL) {
			import_list_free(&copy);
			return NULL;
		}
	return copy;
}

void
import_list_free(char ***list)
{
	for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
}

bool
import_list_has(char *const *list, struct slice text)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		if (slice_is(text, list[i]))
			return true;
	return false;
}

bool
import_record_is_done(const struct import_record *r, const char *file)
{
	return import_list_has(r->done, slice_of(file));
}

int
import_record_add_done(struct import_record *r, const char *file)
{
	char	**grown = realloc(r->done, (r->n_done + 2) * sizeof(*grown)), *copy = strdup(file);

	if (grown != NULL)
		r->done = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		return -1;
	}
	r->done[r->n_done++] = copy;
	r->done[r->n_done] = NULL;
	return 0;
}

void
import_record_free(struct import_record *r)
{
	for (size_t i = 0; i < r->n_tables; i++) {
		free(r->tables[i].table);
		free(r->tables[i].version);
		free(r->tables[i].schema);
	}
	free(r->tables);
	free(r->job);
	free(r->export_id);
	free(r->dir);
	free(r->error);
	import_list_free(&r->only);
	import_list_free(&r->company_ids);
	import_list_free(&r->location_ids);
	import_list_free(&r->done);
	*r = (struct import_record){ 0 };
}

/* --- to JSON --- */

/* Shortage of memory shows as a missing member; what must not be missing is looked for by the reader. */
static void
put(json_t *o, const char *key, json_t *value)
{
	if (value != NULL)
		(void)json_object_set_new(o, key, value);
}

static void
put_list(json_t *o, const char *key, char *const *list)
{
	json_t	*a = list == NULL ? NULL : json_array();

	for (size_t i = 0; a != NULL && list[i] != NULL; i++)
		(void)json_array_append_new(a, json_string(list[i]));
	put(o, key, a);
}

static json_t *
tables_json(const struct import_record *r)
{
	json_t	*a = json_array();

	for (size_t i = 0; i < r->n_tables; i++)
		(void)json_array_append_new(a, json_pack("{s:s,s:s,s:I}", "table", r->tables[i].table, "version",
		    r->tables[i].version, "time", (json_int_t)r->tables[i].time_ns));
	return a;
}

static char *
to_json(const struct import_record *r)
{
	json_t	*o = json_object();
	char	*text;

	put(o, "state", json_string(state_names[r->state]));
	put(o, "job", json_string(r->job));
	put(o, "export", r->export_id == NULL ? NULL : json_string(r->export_id));
	put(o, "dir", r->dir == NULL ? NULL : json_string(r->dir));
	put(o, "url_hash", json_string(r->url_hash));
	put(o, "started", json_integer(r->started_ms));
	put(o, "ended", json_integer(r->ended_ms));
	put(o, "cursor", json_integer((json_int_t)r->cursor));
	put(o, "rows", json_integer((json_int_t)r->rows));
	put(o, "rejected", json_integer((json_int_t)r->rejected));
	put(o, "skipped", json_integer((json_int_t)r->skipped));
	put(o, "files", json_integer((json_int_t)r->files));
	put(o, "error", r->error == NULL ? NULL : json_string(r->error));
	put_list(o, "only", r->only);
	put_list(o, "company_ids", r->company_ids);
	put_list(o, "location_ids", r->location_ids);
	put(o, "time_offset", json_integer(r->time_offset_ms));
	put(o, "schema_only", json_boolean(r->schema_only));
	put(o, "keep", json_boolean(r->keep));
	put(o, "keep_files", json_boolean(r->keep_files));
	put(o, "single", json_boolean(r->single));
	put(o, "own_dir", json_boolean(r->own_dir));
	put(o, "parallel", json_integer((json_int_t)r->parallel));
	put(o, "reject_limit", json_integer((json_int_t)r->reject_limit));
	put(o, "tables", tables_json(r));
	put_list(o, "done", r->done);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* --- and back --- */

static char *
get_text(const json_t *o, const char *key)
{
	const char	*s = json_string_value(json_object_get(o, key));

	return s == NULL ? NULL : strdup(s);
}

static uint64_t
get_u64(const json_t *o, const char *key)
{
	json_int_t	 v = json_integer_value(json_object_get(o, key));

	return v < 0 ? 0 : (uint64_t)v;
}

static bool
get_bool(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static int
get_list(const json_t *o, const char *key, char ***list_r, size_t *n_r)
{
	const json_t	*a = json_object_get(o, key);
	size_t		 n = json_array_size(a), k = 0;

	if (a == NULL)
		return 0;
	if ((*list_r = calloc(n + 1, sizeof(**list_r))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(a, i));

		if (s != NULL && ((*list_r)[k++] = strdup(s)) == NULL)
			return -1;
	}
	if (n_r != NULL)
		*n_r = k;
	return 0;
}

static int
get_tables(struct import_record *r, const json_t *a)
{
	size_t	 n = json_array_size(a);

	if ((r->tables = calloc(n + 1, sizeof(*r->tables))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct import_table *t = &r->tables[r->n_tables++];

		t->table = get_text(json_array_get(a, i), "table");
		t->version = get_text(json_array_get(a, i), "version");
		t->time_ns = json_integer_value(json_object_get(json_array_get(a, i), "time"));
		if (t->table == NULL || t->version == NULL)
			return -1;
	}
	return 0;
}

static int
get_state(struct import_record *r, const json_t *o)
{
	const char	*s = json_string_value(json_object_get(o, "state"));

	for (size_t i = 0; s != NULL && i < NELEM(state_names); i++)
		if (strcmp(s, state_names[i]) == 0) {
			r->state = (enum import_state)i;
			return 0;
		}
	return -1;
}

static int
from_json(struct import_record *r, const json_t *o)
{
	const char	*hash = json_string_value(json_object_get(o, "url_hash"));

	r->job = get_text(o, "job");
	r->export_id = get_text(o, "export");
	r->dir = get_text(o, "dir");
	(void)snprintf(r->url_hash, sizeof(r->url_hash), "%s", hash == NULL ? "" : hash);
	r->started_ms = json_integer_value(json_object_get(o, "started"));
	r->ended_ms = json_integer_value(json_object_get(o, "ended"));
	r->cursor = get_u64(o, "cursor");
	r->rows = get_u64(o, "rows");
	r->rejected = get_u64(o, "rejected");
	r->skipped = get_u64(o, "skipped");
	r->files = get_u64(o, "files");
	r->error = get_text(o, "error");
	r->time_offset_ms = json_integer_value(json_object_get(o, "time_offset"));
	r->schema_only = get_bool(o, "schema_only");
	r->keep = get_bool(o, "keep");
	r->keep_files = get_bool(o, "keep_files");
	r->single = get_bool(o, "single");
	r->own_dir = get_bool(o, "own_dir");
	r->parallel = get_u64(o, "parallel");
	r->reject_limit = get_u64(o, "reject_limit");
	return r->job == NULL || get_state(r, o) == -1 || get_list(o, "only", &r->only, NULL) == -1 ||
	    get_list(o, "company_ids", &r->company_ids, NULL) == -1 || get_list(o, "location_ids", &r->location_ids, NULL) == -1 ||
	    get_list(o, "done", &r->done, &r->n_done) == -1 || get_tables(r, json_object_get(o, "tables")) == -1 ? -1 : 0;
}

/* --- in the store --- */

static void
fact_name(char *out, size_t size, const char *what, const char *destination)
{
	(void)snprintf(out, size, "%s:%s", what, destination);
}

int
import_record_load(struct import_record *r, struct store *st, const char *destination, struct err *err)
{
	struct buf	 text = { 0 };
	char		 fact[100];
	json_t		*o = NULL;
	int		 rc;

	*r = (struct import_record){ 0 };
	fact_name(fact, sizeof(fact), "import", destination);
	if ((rc = store_fact_get(st, fact, &text, err)) == 0) {
		o = json_loadb(buf_cstr(&text), text.len, 0, NULL);
		if (o == NULL || from_json(r, o) == -1) {
			import_record_free(r);
			rc = err_set(err, ERR_INVALID, "what is on record of the last import of %s cannot be read", destination);
		}
	}
	json_decref(o);
	buf_free(&text);
	return rc;
}

int
import_record_save(const struct import_record *r, struct store *st, const char *destination, struct err *err)
{
	char	*text = to_json(r), fact[100];
	int	 rc;

	fact_name(fact, sizeof(fact), "import", destination);
	rc = text == NULL ? err_set(err, ERR_NOMEM, "the record of an import") : store_fact_put(st, fact, slice_of(text), err);
	free(text);
	return rc;
}

static json_t *
load_times(struct store *st, const char *destination)
{
	struct buf	 text = { 0 };
	char		 fact[100];
	json_t		*o = NULL;

	fact_name(fact, sizeof(fact), "import-times", destination);
	if (store_fact_get(st, fact, &text, NULL) == 0)
		o = json_loadb(buf_cstr(&text), text.len, 0, NULL);
	buf_free(&text);
	if (json_is_object(o))
		return o;
	json_decref(o);
	return json_object();
}

int
import_times_each(struct store *st, const char *destination, store_pair_fn fn, void *arg, struct err *err)
{
	json_t		*o = load_times(st, destination), *v;
	const char	*table;
	int		 rc = 0;

	json_object_foreach(o, table, v)
		if (rc == 0 && fn(arg, slice_of(table), slice_of(json_string_value(v))) != 0)
			rc = err_set(err, ERR_NOMEM, "the times of an import");
	json_decref(o);
	return rc;
}

/*
 * Which events to pass over from now on.  Where rows were kept, none: a row deleted before the
 * snapshot is still there, and its DELETE has to be applied.  Where only tables were made, none either.
 */
static char *
times_text(const struct import_record *r, struct store *st, const char *destination)
{
	json_t	*o = load_times(st, destination);
	char	*text, ns[32];

	for (size_t i = 0; i < r->n_tables; i++) {
		(void)snprintf(ns, sizeof(ns), "%lld", (long long)r->tables[i].time_ns);
		if (r->keep || r->schema_only || r->tables[i].time_ns == 0)
			(void)json_object_del(o, r->tables[i].table);
		else
			put(o, r->tables[i].table, json_string(ns));
	}
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* The earliest of all table times, as the consumer's start (contract/nats.md section 2); 0: none. */
static int64_t
earliest(const struct import_record *r)
{
	int64_t	 least = r->schema_only ? r->started_ms * 1000000 : 0;

	for (size_t i = 0; i < r->n_tables && !r->schema_only; i++)
		if (r->tables[i].time_ns > 0 && (least == 0 || r->tables[i].time_ns < least))
			least = r->tables[i].time_ns;
	return least;
}

int
import_times_put(struct store *st, const char *destination, const struct import_time *times, size_t n, struct err *err)
{
	json_t	*o = json_object();
	int64_t	 least = 0;
	char	*text, fact[100], ns[32];
	int	 rc;

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(ns, sizeof(ns), "%lld", (long long)times[i].time_ns);
		put(o, times[i].table, json_string(ns));
		if (least == 0 || times[i].time_ns < least)
			least = times[i].time_ns;
	}
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return err_set(err, ERR_NOMEM, "the times of an import");
	fact_name(fact, sizeof(fact), "import-times", destination);
	rc = store_fact_put(st, fact, slice_of(text), err);
	free(text);
	(void)snprintf(ns, sizeof(ns), "%lld", (long long)least);
	fact_name(fact, sizeof(fact), "import-start", destination);
	return rc == -1 ? -1 : store_fact_put(st, fact, slice_of(ns), err);
}

int64_t
import_start_ns(struct store *st, const char *destination)
{
	struct buf	 text = { 0 };
	char		 fact[100];
	int64_t		 ns = 0;

	fact_name(fact, sizeof(fact), "import-start", destination);
	if (store_fact_get(st, fact, &text, NULL) == -1 || !slice_i64(buf_slice(&text), &ns))
		ns = 0;
	buf_free(&text);
	return ns;
}

int
import_record_check_age(struct store *st, const char *destination, uint64_t seq, const char *job_id, struct err *err)
{
	struct import_record	 last = { 0 };
	struct err		 none = { 0 };
	bool			 same;

	if (seq == 0)
		return 0;
	same = import_record_load(&last, st, destination, &none) == 0 && last.cursor == seq && last.state != IMPORT_DONE &&
	    job_id != NULL && last.export_id != NULL && strcmp(last.export_id, job_id) == 0;
	import_record_free(&last);
	return same ? 0 : err_set(err, ERR_CONFLICT, "%s has had events since that export was made, and would lose what they changed; "
	    "begin a new export instead", destination);
}

int
import_record_save_live(const struct import_record *r, struct store *st, const char *destination, struct err *err)
{
	char	*record = to_json(r), *times = times_text(r, st, destination), fact[100], start[32];
	int	 rc = -1;

	(void)snprintf(start, sizeof(start), "%lld", (long long)earliest(r));
	if (record == NULL || times == NULL) {
		(void)err_set(err, ERR_NOMEM, "the record of an import");
		goto out;
	}
	if (store_batch_begin(st, err) == -1)
		goto out;
	fact_name(fact, sizeof(fact), "import", destination);
	rc = store_fact_put(st, fact, slice_of(record), err);
	fact_name(fact, sizeof(fact), "import-times", destination);
	if (rc == 0)
		rc = store_fact_put(st, fact, slice_of(times), err);
	fact_name(fact, sizeof(fact), "import-start", destination);
	if (rc == 0)
		rc = store_fact_put(st, fact, slice_of(start), err);
	for (size_t i = 0; i < r->n_tables && rc == 0; i++)
		rc = store_table_version_put(st, destination, slice_of(r->tables[i].table), slice_of(r->tables[i].version), err);
	/* A batch in which a write failed is not committed, and says why once more. */
	rc = store_batch_commit(st, err);
out:
	free(record);
	free(times);
	return rc;
}
