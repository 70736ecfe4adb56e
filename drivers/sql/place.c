/* Tables in step with HQ's schemas. */

#include <stdlib.h>

#include "drivers/sql/place.h"

#define MAX_KEYS	32

static enum drv_result
nomem(struct err *err, const char *what)
{
	err_set(err, ERR_NOMEM, "no memory for %s", what);
	return DRV_RETRY;
}

/* What follows when a schema, a plan or a statement could not be made. */
static enum drv_result
refused(const struct err *err)
{
	return err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
}

/* --- schemas --- */

static enum drv_result
version_fetch(struct sql_store *s, const struct event *ev, struct sql_version **version_r, struct err *err)
{
	struct sql_schema	*schema;
	struct slice		 json;
	enum drv_result		 r;

	r = s->host->schema(s->host->ctx, ev->table, ev->model_version, &json, err);
	if (r != DRV_STORED) {
		if (r == DRV_REJECT)
			err_prefix(err, "HQ's schema does not know table \"" SLICE_FMT "\" version \"" SLICE_FMT
			    "\"; retry the event once HQ publishes it", SLICE_ARG(ev->table), SLICE_ARG(ev->model_version));
		return r;
	}
	if (sql_schema_parse(&schema, json, err) != 0)
		return refused(err);
	if (!slice_eq(schema->table, ev->table) || !slice_eq(schema->version, ev->model_version)) {
		err_set(err, ERR_INVALID, "asked for table \"" SLICE_FMT "\" version \"" SLICE_FMT
		    "\", HQ answered with table \"" SLICE_FMT "\" version \"" SLICE_FMT "\"", SLICE_ARG(ev->table),
		    SLICE_ARG(ev->model_version), SLICE_ARG(schema->table), SLICE_ARG(schema->version));
		sql_schema_free(&schema);
		return DRV_REJECT;
	}
	if ((*version_r = sql_tables_take(&s->tables, schema, err)) == NULL)
		return refused(err);
	return DRV_STORED;
}

static void
target_look_up(struct sql_store *s, const struct event *ev, struct sql_target *t)
{
	*t = (struct sql_target){ .table = sql_tables_find(&s->tables, ev->table) };
	if (t->table != NULL && ev->op != EVENT_DELETE)
		t->version = sql_table_version(t->table, ev->model_version);
}

static enum drv_result
target_find(struct sql_store *s, const struct event *ev, struct sql_target *t, struct err *err)
{
	enum drv_result	 r;

	target_look_up(s, ev, t);
	if (t->version != NULL || ev->op == EVENT_DELETE)
		return DRV_STORED;
	if ((r = version_fetch(s, ev, &t->version, err)) == DRV_STORED)
		t->table = sql_tables_find(&s->tables, ev->table);
	return r;
}

static bool
same_target(const struct event *a, const struct event *b)
{
	return (a->op == EVENT_DELETE) == (b->op == EVENT_DELETE) && slice_eq(a->table, b->table) &&
	    slice_eq(a->model_version, b->model_version);
}

/* `find` for each event, but once for neighbours that go to the same place. */
static enum drv_result
each_target(struct sql_store *s, const struct drv_batch *b, struct drv_outcome *out,
    enum drv_result (*find)(struct sql_store *, const struct event *, struct sql_target *, struct err *))
{
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < b->n && r == DRV_STORED; i++) {
		out->index = i;
		if (i > 0 && same_target(b->v[i].ev, b->v[i - 1].ev))
			s->targets[i] = s->targets[i - 1];
		else
			r = find(s, b->v[i].ev, &s->targets[i], &out->err);
	}
	return r;
}

/* Room for the targets of a batch. */
static enum drv_result
targets_reserve(struct sql_store *s, size_t n, struct err *err)
{
	struct sql_target	*targets;

	if (n <= s->ntargets)
		return DRV_STORED;
	if ((targets = reallocarray(s->targets, n, sizeof(*targets))) == NULL)
		return nomem(err, "a batch");
	s->targets = targets;
	s->ntargets = n;
	return DRV_STORED;
}

enum drv_result
sql_place_versions(struct sql_store *s, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r = targets_reserve(s, b->n, &out->err);

	return r == DRV_STORED ? each_target(s, b, out, target_find) : r;
}

enum drv_result
sql_place_all(struct sql_store *s, const struct drv_batch *b, const struct sql_target *at, struct err *err)
{
	enum drv_result	 r = targets_reserve(s, b->n, err);

	for (size_t i = 0; i < b->n && r == DRV_STORED; i++)
		s->targets[i] = *at;
	return r;
}

/* --- catalogue --- */

struct sql_reading {
	enum sql_names		 names;
	struct sql_table	*table;		/* one that is known, or NULL:    */
	struct buf		 keys;		/* ... then its key is found here, each name with a NUL */
	size_t			 nkeys;
	size_t			 ncols;
	bool			 fits;		/* the key is that of the table */
};

/* Is (or is not) the column part of the key that the schema names? */
static bool
key_fits(const struct sql_reading *rd, const struct sql_found *c)
{
	const struct sql_table	*t = rd->table;
	bool			 wanted = false;

	for (size_t i = 0; i < t->nkeys; i++)
		wanted |= sql_names_eq(rd->names, t->cols[i].name, c->name);
	return wanted == c->key;
}

static void
take_column(struct sql_reading *rd, const struct sql_found *c)
{
	struct sql_table	*t = rd->table;

	for (size_t i = 0; i < t->ncols; i++)
		if (sql_names_eq(rd->names, t->cols[i].name, c->name))
			t->held[i] = (struct sql_held){ .exists = true, .demands = c->demands, .type = c->type,
			    .size = c->size };
	rd->fits &= key_fits(rd, c);
}

enum drv_result
sql_reading_column(struct sql_reading *rd, const struct sql_found *c, struct err *err)
{
	rd->ncols++;
	if (rd->table != NULL) {
		take_column(rd, c);
	} else if (c->key && rd->nkeys < MAX_KEYS) {
		buf_adds_slice(&rd->keys, c->name);
		buf_addc(&rd->keys, '\0');
		rd->nkeys++;
		if (rd->keys.oom)
			return nomem(err, "the key of a table");
	}
	return DRV_STORED;
}

/* Nothing is known of the destination's side, with room for all columns. */
static bool
held_clear(struct sql_table *t)
{
	struct sql_held	*held;

	if (t->nheld < t->ncols) {
		if ((held = reallocarray(t->held, t->ncols, sizeof(*held))) == NULL)
			return false;
		t->held = held;
	}
	t->nheld = t->ncols;
	memset(t->held, 0, t->nheld * sizeof(*t->held));
	for (struct sql_version *v = t->versions; v != NULL; v = v->next)
		v->in_place = false;
	t->exists = false;
	t->generation = 0;
	return true;
}

static enum drv_result
table_read(struct sql_store *s, struct sql_table *t, struct err *err)
{
	struct sql_reading	 rd = { .names = s->be->names, .table = t, .fits = true };
	enum drv_result		 r;

	if (!held_clear(t))
		return nomem(err, "the columns of a table");
	if ((r = s->be->read_table(s->drv, t->name, &rd, err)) != DRV_STORED)
		return r;
	t->exists = rd.ncols > 0;
	if (t->exists && !rd.fits && !s->be->dialect.no_key) {
		err_set(err, ERR_CONFIG, "table \"" SLICE_FMT "\" in %s has another primary key than HQ's schema; rename or "
		    "drop that table and import it anew", SLICE_ARG(t->name), s->where);
		return DRV_CONFIG;
	}
	t->generation = s->generation;
	return DRV_STORED;
}

static bool
is_read(const struct sql_store *s, const struct sql_table *t)
{
	return t->generation == s->generation && t->nheld == t->ncols;
}

enum drv_result
sql_place_read(struct sql_store *s, struct sql_table *t, struct err *err)
{
	return is_read(s, t) ? DRV_STORED : table_read(s, t, err);
}

static enum drv_result
target_is_known(struct sql_store *s, const struct event *ev, struct sql_target *t, struct err *err)
{
	(void)err;
	target_look_up(s, ev, t);
	if (t->table == NULL || !is_read(s, t->table))
		return DRV_RETRY;
	return ev->op == EVENT_DELETE || (t->version != NULL && t->version->in_place) ? DRV_STORED : DRV_RETRY;
}

bool
sql_place_known(struct sql_store *s, const struct drv_batch *b)
{
	struct drv_outcome	 out;

	return targets_reserve(s, b->n, &out.err) == DRV_STORED && each_target(s, b, &out, target_is_known) == DRV_STORED;
}

enum drv_result
sql_place_exists(struct sql_store *s, struct slice table, bool *exists_r, struct err *err)
{
	struct sql_reading	 rd = { .names = s->be->names };
	enum drv_result		 r = s->be->read_table(s->drv, table, &rd, err);

	*exists_r = rd.ncols > 0;
	buf_free(&rd.keys);
	return r;
}

/* A table that only DELETEs have touched so far: its key is what the destination says. */
static enum drv_result
table_of_catalogue(struct sql_store *s, struct slice name, struct sql_table **table_r, struct err *err)
{
	struct sql_reading	 rd = { .names = s->be->names };
	struct slice		 keys[MAX_KEYS], rest, key;
	enum drv_result		 r;
	size_t			 n = 0;

	*table_r = NULL;
	if ((r = s->be->read_table(s->drv, name, &rd, err)) != DRV_STORED || rd.ncols == 0)
		goto out;
	for (rest = buf_slice(&rd.keys); n < rd.nkeys && slice_cut(&rest, '\0', &key); )
		keys[n++] = key;
	if (n == 0) {
		err_set(err, ERR_CONFIG, "table \"" SLICE_FMT "\" in %s has no primary key; rename or drop that table and "
		    "import it anew", SLICE_ARG(name), s->where);
		r = DRV_CONFIG;
	} else if ((*table_r = sql_tables_add(&s->tables, name, keys, n, err)) == NULL) {
		r = DRV_RETRY;
	}
out:
	buf_free(&rd.keys);
	return r;
}

/* --- changes --- */

static enum drv_result
ddl_run(struct sql_store *s, struct buf *sql, struct err *err)
{
	enum drv_result	 r = sql->oom ? nomem(err, "a table's DDL") : s->be->ddl(s->drv, buf_cstr(sql), err);

	s->ddl = true;
	buf_reset(sql);
	return r;
}

static enum drv_result
plan_run(struct sql_store *s, const struct sql_plan *p, const struct sql_schema *schema, struct err *err)
{
	const struct sql_dialect *dialect = &s->be->dialect;
	struct buf		 sql = { 0 };
	enum drv_result		 r = DRV_STORED;

	if (p->what == SQL_PLAN_CREATE) {
		r = sql_ddl_create(&sql, dialect, schema, err) == 0 ? ddl_run(s, &sql, err) : refused(err);
		if (r == DRV_STORED)
			log_info(s->log, "created table %s", schema->table.p);
	}
	for (size_t i = 0; i < p->n && r == DRV_STORED; i++) {
		r = sql_ddl_add(&sql, dialect, schema, p->add[i], err) == 0 ? ddl_run(s, &sql, err) : refused(err);
		if (r == DRV_STORED)
			log_info(s->log, "added column %s to table %s", schema->cols[p->add[i]].name.p, schema->table.p);
	}
	buf_free(&sql);
	return r;
}

/* What the version's schema and the table as last read make necessary. */
static int
plan_version(struct sql_store *s, const struct sql_target *at, struct sql_plan *plan, struct err *err)
{
	const struct sql_table	*t = at->table;
	struct slice		*have = calloc(t->ncols, sizeof(*have));
	size_t			 n = 0;
	int			 rc;

	if (have == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the columns of a table");
	for (size_t i = 0; i < t->ncols; i++)
		if (t->held[i].exists)
			have[n++] = t->cols[i].name;
	rc = sql_plan_make(plan, at->version->schema, t->exists ? have : NULL, n, s->be->names, err);
	free(have);
	return rc;
}

static enum drv_result
version_put(struct sql_store *s, struct sql_target *at, struct err *err)
{
	struct sql_plan	 plan = { .what = SQL_PLAN_NOTHING };
	enum drv_result	 r = DRV_STORED;

	if (plan_version(s, at, &plan, err) != 0)
		r = refused(err);
	else if (plan.what != SQL_PLAN_NOTHING) {
		if ((r = plan_run(s, &plan, at->version->schema, err)) == DRV_STORED)
			r = table_read(s, at->table, err);
		sql_plan_free(&plan);
		at->version->announced = false;
		/* Somebody may have been quicker, with a table of their own. */
		if (r == DRV_STORED && plan_version(s, at, &plan, err) != 0)
			r = DRV_RETRY;
	}
	if (r == DRV_STORED && plan.what != SQL_PLAN_NOTHING) {
		err_set(err, ERR_TEMPORARY, "table \"" SLICE_FMT "\" in %s still lacks columns after it was changed",
		    SLICE_ARG(at->table->name), s->where);
		r = DRV_RETRY;
	}
	at->version->in_place = r == DRV_STORED;
	sql_plan_free(&plan);
	return r;
}

enum drv_result
sql_place_target(struct sql_store *s, struct sql_target *at, struct err *err)
{
	enum drv_result	 r = sql_place_read(s, at->table, err);

	if (r == DRV_STORED && at->version != NULL && !at->version->in_place)
		r = version_put(s, at, err);
	return r;
}

static enum drv_result
target_prepare(struct sql_store *s, const struct event *ev, struct sql_target *at, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	if (at->table == NULL && (at->table = sql_tables_find(&s->tables, ev->table)) == NULL)
		r = table_of_catalogue(s, ev->table, &at->table, err);
	return r == DRV_STORED && at->table != NULL ? sql_place_target(s, at, err) : r;
}

enum drv_result
sql_place_tables(struct sql_store *s, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r = each_target(s, b, out, target_prepare);

	if (s->ddl && s->be->forget != NULL)
		s->be->forget(s->drv);
	return r;
}

void
sql_place_undo(struct sql_store *s)
{
	if (s->ddl)
		sql_store_stale(s);
	s->ddl = false;
}

/* True when the version has every column this process knows of the table: then it is no older one. */
static bool
is_latest(const struct sql_target *at)
{
	return at->version->schema->ncols == at->table->ncols;
}

void
sql_place_announce(struct sql_store *s, const struct drv_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct sql_target *at = &s->targets[i];

		if (at->version == NULL || at->version->announced)
			continue;
		at->version->announced = true;
		if (is_latest(at))
			s->host->table_version(s->host->ctx, at->table->name, at->version->schema->version);
	}
}

/* --- rows --- */

void
sql_fill_demanded(struct sql_row *r)
{
	for (size_t i = 0; i < r->table->ncols; i++)
		if (r->table->held[i].demands && r->v[i].type == JV_ABSENT)
			r->v[i] = sql_row_default(r->table->cols[i].kind);
}

bool
sql_lacks_demanded(const struct sql_row *r)
{
	for (size_t i = 0; i < r->table->ncols; i++)
		if (r->table->held[i].demands && r->v[i].type == JV_ABSENT)
			return true;
	return false;
}
