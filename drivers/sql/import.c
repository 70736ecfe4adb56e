/* Imports: staging tables beside the live ones. */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/sql/culprit.h"
#include "drivers/sql/import.h"
#include "drivers/sql/place.h"
#include "ipc/base/hash.h"

#define OLD		"_eds_old_"
#define NAME_MAX_BYTES	40

struct import_table {
	struct sql_target	 staging, live;		/* staging.table NULL: live already */
	char			 name[NAME_MAX_BYTES], old[NAME_MAX_BYTES];
	struct slice		 live_name;
};

struct sql_import {
	struct sql_store		 store;		/* of the staging tables */
	struct sql_store		*live;
	const struct sql_import_backend	*ib;
	struct import_table		*v;
	size_t				 n;
	struct arena		 names;
	bool				 keep;
};

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for an import");
	return DRV_RETRY;
}

/* --- names --- */

/* The same for the same job and table, and short enough for every database. */
static enum drv_result
make_names(struct sql_import *imp, struct import_table *t, const struct drv_import_table *from, struct slice job,
    struct err *err)
{
	struct buf	 both = { 0 };
	char		 hex[17];

	buf_adds_slice(&both, job);
	buf_addc(&both, '/');
	buf_adds_slice(&both, from->table);
	hash_hex(buf_slice(&both), hex);
	t->live_name = arena_copy(&imp->names, from->table);
	if (both.oom || t->live_name.p == NULL) {
		buf_free(&both);
		return nomem(err);
	}
	buf_free(&both);
	(void)snprintf(t->name, sizeof(t->name), SQL_STAGING "%s", hex);
	(void)snprintf(t->old, sizeof(t->old), OLD "%s", hex);
	return DRV_STORED;
}

/* --- tables --- */

/* The store learns of the schema, under its table's own name or that of the staging table, which outlives the store. */
static enum drv_result
take(struct sql_store *s, const struct drv_import_table *from, const char *staging, struct sql_target *at, struct err *err)
{
	struct sql_schema	*schema;
	struct slice		 name = staging == NULL ? from->table : slice_of(staging);

	if ((at->table = sql_tables_find(&s->tables, name)) != NULL &&
	    (at->version = sql_table_version(at->table, from->version)) != NULL)
		return DRV_STORED;
	if (sql_schema_parse(&schema, from->schema, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	if (staging != NULL)
		schema->table = name;
	if ((at->version = sql_tables_take(&s->tables, schema, err)) == NULL)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	at->table = sql_tables_find(&s->tables, name);
	return DRV_STORED;
}

/* During an import there is no event to blame. */
static enum drv_result
settle(enum drv_result r)
{
	return r == DRV_REJECT ? DRV_CONFIG : r;
}

static enum drv_result
place(struct sql_store *s, struct sql_target *at, struct err *err)
{
	return settle(sql_place_target(s, at, err));
}

static enum drv_result
make_live(struct sql_import *imp, struct import_table *t, const struct drv_import_table *from, struct err *err)
{
	enum drv_result	 r = take(imp->live, from, NULL, &t->live, err);

	return r == DRV_STORED ? place(imp->live, &t->live, err) : r;
}

/* With `keep` rows must fit the table that is there: so the staging table is one like it. */
static enum drv_result
make_staging(struct sql_import *imp, struct import_table *t, struct err *err)
{
	enum drv_result	 r = sql_place_read(&imp->store, t->staging.table, err);

	if (r == DRV_STORED && imp->keep && !t->staging.table->exists) {
		r = settle(imp->ib->clone(imp->store.drv, t->live_name, slice_of(t->name), err));
		sql_store_stale(&imp->store);
	}
	return r == DRV_STORED ? place(&imp->store, &t->staging, err) : r;
}

static enum drv_result
begin_table(struct sql_import *imp, struct import_table *t, const struct drv_import_table *from,
    const struct drv_import *how, struct err *err)
{
	enum drv_result	 r;

	if ((r = make_names(imp, t, from, how->job, err)) != DRV_STORED ||
	    (r = take(&imp->store, from, t->name, &t->staging, err)) != DRV_STORED)
		return r;
	if (!how->resumed && (r = settle(imp->ib->drop(imp->store.drv, slice_of(t->name), err))) != DRV_STORED)
		return r;
	if (how->ending) {
		if ((r = sql_place_read(&imp->store, t->staging.table, err)) != DRV_STORED)
			return r;
		if (!t->staging.table->exists) {
			t->staging.table = NULL;	/* it took the live one's place */
			return DRV_STORED;
		}
	}
	if (imp->keep && (r = make_live(imp, t, from, err)) != DRV_STORED)
		return r;
	return make_staging(imp, t, err);
}

/* Whatever began since begin() is for good. */
static enum drv_result
commit(struct sql_store *s, struct err *err)
{
	struct sql_blame	 blame = { .group = NULL };

	return settle(s->be->apply(s->drv, NULL, 0, SQL_COMMIT, &blame, err));
}

static enum drv_result
begin(struct sql_store *s, struct err *err)
{
	return s->be->begin == NULL ? DRV_STORED : s->be->begin(s->drv, err);
}

static void
undo(struct sql_store *s)
{
	if (s->be->undo != NULL)
		s->be->undo(s->drv);
}

enum drv_result
sql_import_begin(struct sql_import **imp_r, struct sql_store *live, const struct sql_import_backend *ib,
    const struct drv_env *env, const struct drv_import *how, struct err *err)
{
	struct sql_import		*imp = calloc(1, sizeof(*imp));
	const struct sql_backend	*be;
	enum drv_result			 r;

	if (imp == NULL)
		return nomem(err);
	imp->live = live;
	imp->ib = ib;
	imp->keep = how->keep;
	imp->v = calloc(how->ntables + 1, sizeof(*imp->v));
	be = ib->load != NULL && !imp->keep ? ib->load : live->be;
	if (imp->v == NULL || sql_store_init(&imp->store, be, live->drv, env, live->where, err) != 0) {
		sql_import_free(&imp);
		return nomem(err);
	}
	sql_seen_free(&imp->store.seen);	/* all rows of a table are of the same time */
	r = begin(live, err);
	for (; imp->n < how->ntables && r == DRV_STORED; imp->n++)
		r = begin_table(imp, &imp->v[imp->n], &how->tables[imp->n], how, err);
	if (r == DRV_STORED && (r = commit(live, err)) == DRV_STORED) {
		*imp_r = imp;
		return r;
	}
	undo(live);
	sql_import_free(&imp);
	return r;
}

/* --- rows --- */

enum drv_result
sql_import_rows(struct sql_import *imp, size_t table, const struct drv_batch *b, struct drv_outcome *out)
{
	const struct import_table	*t = &imp->v[table];
	enum drv_result			 r;

	*out = (struct drv_outcome){ .index = 0 };
	if (t->staging.table == NULL)
		return DRV_STORED;		/* it was all there before */
	r = sql_place_all(&imp->store, b, &t->staging, &out->err);
	return r == DRV_STORED ? sql_store_apply(&imp->store, b, out) : r;
}

/* --- end --- */

/* Each table in a transaction of its own: one after the other, for a failure to have less to do again. */
static enum drv_result
merge_all(struct sql_import *imp, struct sql_staged *staged, struct err *err)
{
	struct sql_store	*live = imp->live;
	enum drv_result		 r = DRV_STORED;

	for (size_t i = 0; i < imp->n && r == DRV_STORED; i++) {
		if (staged[i].table == NULL)
			continue;
		if ((r = begin(live, err)) == DRV_STORED && (r = imp->ib->merge(live->drv, &staged[i], err)) == DRV_STORED &&
		    (r = commit(live, err)) == DRV_STORED && (r = begin(live, err)) == DRV_STORED &&
		    (r = imp->ib->drop(live->drv, slice_of(imp->v[i].name), err)) == DRV_STORED &&
		    (r = commit(live, err)) == DRV_STORED)
			imp->v[i].staging.table = NULL;
	}
	return r;
}

static enum drv_result
swap_all(struct sql_import *imp, struct sql_staged *staged, struct err *err)
{
	enum drv_result	 r = begin(imp->live, err);

	if (r == DRV_STORED && (r = imp->ib->swap(imp->live->drv, staged, imp->n, err)) == DRV_STORED)
		r = commit(imp->live, err);
	for (size_t i = 0; i < imp->n && r == DRV_STORED; i++)
		imp->v[i].staging.table = NULL;		/* should it be called again */
	return r;
}

static enum drv_result
stage(struct sql_import *imp, struct sql_staged *staged, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < imp->n && r == DRV_STORED; i++) {
		struct import_table	*t = &imp->v[i];

		staged[i] = (struct sql_staged){ .table = t->staging.table, .live = t->live_name, .old = slice_of(t->old) };
		if (t->staging.table != NULL)
			r = sql_place_exists(imp->live, t->live_name, &staged[i].live_exists, err);
	}
	return r;
}

enum drv_result
sql_import_end(struct sql_import **impp, struct err *err)
{
	struct sql_import	*imp = *impp;
	struct sql_staged	*staged = calloc(imp->n + 1, sizeof(*staged));
	enum drv_result		 r;

	if (staged == NULL)
		return nomem(err);
	if ((r = begin(imp->live, err)) == DRV_STORED)
		r = stage(imp, staged, err);
	undo(imp->live);		/* nothing but questions so far */
	if (r == DRV_STORED)
		r = imp->keep ? merge_all(imp, staged, err) : swap_all(imp, staged, err);
	free(staged);
	if (r != DRV_STORED) {
		undo(imp->live);
		return settle(r);
	}
	if (sql_store_reset(imp->live, err) != 0)
		return DRV_RETRY;
	sql_import_free(impp);
	return DRV_STORED;
}

void
sql_import_abort(struct sql_import **impp)
{
	struct sql_import	*imp = *impp;
	struct err		 err = { .code = ERR_NONE };
	enum drv_result		 r;

	if (imp == NULL)
		return;
	r = begin(imp->live, &err);
	for (size_t i = 0; i < imp->n && r == DRV_STORED; i++)
		r = imp->ib->drop(imp->live->drv, slice_of(imp->v[i].name), &err);
	if (r == DRV_STORED)
		r = commit(imp->live, &err);
	if (r != DRV_STORED) {
		undo(imp->live);
		log_warn(imp->live->log, "tables of the import that was given up remain, drop those that begin with " SQL_STAGING
		    ": %s", err.text);
	}
	sql_import_free(impp);
}

void
sql_import_free(struct sql_import **impp)
{
	struct sql_import	*imp = *impp;

	if (imp == NULL)
		return;
	if (imp->live->be->forget != NULL)
		imp->live->be->forget(imp->live->drv);		/* statements for tables that are freed below */
	sql_store_free(&imp->store);
	arena_free(&imp->names);
	free(imp->v);
	free(imp);
	*impp = NULL;
}
